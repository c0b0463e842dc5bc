"""The first mistakes with a model's files, and that each is told in words that help."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.fish_vocabulary import write_folder

from june_tts.errors import ModelUnavailable
from june_tts.fish.layout import check_checkpoint, check_codec

pytestmark = pytest.mark.unit

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n"


def model(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return write_folder(folder)


def test_what_is_all_there_is_let_by(tmp_path: Path) -> None:
    check_checkpoint(model(tmp_path))
    check_codec(tmp_path / "codec.pth")
    (tmp_path / "model.pth").rename(tmp_path / "model.safetensors")
    check_checkpoint(tmp_path)


def test_a_folder_that_is_not_there_is_told_with_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"no folder .*/none: expected .*config\.json.*model\.pth"):
        check_checkpoint(tmp_path / "none")


def test_a_path_is_told_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelUnavailable, match=f"no folder {tmp_path}/checkpoints/none"):
        check_checkpoint(Path("checkpoints/none"))
    with pytest.raises(ModelUnavailable, match=f"no codec {tmp_path}/none.pth"):
        check_codec(Path("none.pth"))


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"config\.json is no folder"):
        check_checkpoint(model(tmp_path) / "config.json")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.tiktoken", "special_tokens.json", "model.pth"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (model(tmp_path) / name).unlink()
    with pytest.raises(ModelUnavailable, match=f"has no {name}.*expected the folder"):
        check_checkpoint(tmp_path)


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    (model(tmp_path) / "config.json").unlink()
    (tmp_path / "tokenizer.tiktoken").unlink()
    (tmp_path / "model.pth").unlink()
    with pytest.raises(
        ModelUnavailable, match=r"has no config\.json, tokenizer\.tiktoken and no model\.pth or"
    ):
        check_checkpoint(tmp_path)


def test_the_folder_above_the_model_leads_to_it(tmp_path: Path) -> None:
    model(tmp_path / "s1-mini")
    with pytest.raises(ModelUnavailable, match=f"config.json is in {tmp_path}/s1-mini"):
        check_checkpoint(tmp_path)


@pytest.mark.parametrize("kind", ["llama", "fish_qwen3_omni"])
def test_another_model_is_told_before_what_it_lacks(tmp_path: Path, kind: str) -> None:
    """It has other tables: that they are missing is not what is wrong."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(ModelUnavailable, match=f"model_type is '{kind}', expected 'dual_ar'"):
        check_checkpoint(tmp_path)


Damage = Callable[[Path], object]


@pytest.mark.parametrize("name", ["config.json", "tokenizer.tiktoken", "model.pth", "codec.pth"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_text(POINTER), "pointer of Git LFS: `git lfs pull`"),
        (lambda path: path.write_text(""), "is empty"),
        (lambda path: (path.unlink(), path.mkdir()), "Is a directory|is a folder"),
        (lambda path: (path.unlink(), path.symlink_to("nowhere")), "No such file"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, name: str, damage: Damage, message: str) -> None:
    damage(model(tmp_path) / name)
    with pytest.raises(ModelUnavailable, match=message) as told:
        check_checkpoint(tmp_path)
        check_codec(tmp_path / "codec.pth")
    assert f"{tmp_path}/{name}" in str(told.value)
