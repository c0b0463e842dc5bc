"""A checkpoint's tensors, from every file it may come in; the one that is wrong is named."""

import json
from pathlib import Path

import pytest
import torch
from bench.fish_checkpoint import write_checkpoint
from safetensors.torch import save_file

from june_tts.errors import ModelUnavailable
from june_tts.fish.checkpoint import Tensors, read_tensors
from june_tts.fish.config import ModelConfig

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "model", n_layer=1, n_fast_layer=1, fast_dim=96)


def stored(folder: Path) -> Tensors:
    state: Tensors = torch.load(folder / "model.pth", weights_only=True)
    return state


def read(folder: Path) -> Tensors:
    return read_tensors(folder, ModelConfig.read(folder))


def test_names_with_a_prefix_in_a_wrapper_and_audio_tensors_are_read(folder: Path) -> None:
    state = stored(folder)
    wrapped = {f"model.{name}": value for name, value in state.items()} | {
        "audio_projector.weight": torch.ones(2)
    }
    torch.save({"state_dict": wrapped}, folder / "model.pth")
    assert {name: value.shape for name, value in read(folder).items()} == {
        n: v.shape for n, v in state.items()
    }


def test_three_projections_become_one(folder: Path) -> None:
    state = stored(folder)
    joint = state.pop("layers.0.attention.wqkv.weight")
    parts = torch.split(joint, [128, 64, 64])
    state |= {f"layers.0.attention.w{k}.weight": part for k, part in zip("qkv", parts, strict=True)}
    torch.save(state, folder / "model.pth")
    torch.testing.assert_close(read(folder)["layers.0.attention.wqkv.weight"], joint)


def test_shards_are_read_before_a_single_file(folder: Path) -> None:
    names = sorted(state := stored(folder))
    halves = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
    for file, some in halves.items():
        save_file({name: state[name] + 1 for name in some}, folder / file)
    places = {name: file for file, some in halves.items() for name in some}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    torch.testing.assert_close(read(folder)["norm.weight"], state["norm.weight"] + 1)


def test_a_shard_outside_the_folder_is_refused(folder: Path) -> None:
    places = {"norm.weight": "../other.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    with pytest.raises(
        ModelUnavailable, match=r"'\.\./other\.safetensors', expected a file of the same folder"
    ):
        read(folder)


def test_a_missing_tensor_is_named(folder: Path) -> None:
    state = stored(folder)
    del state["layers.0.feed_forward.w2.weight"]
    torch.save(state, folder / "model.pth")
    with pytest.raises(ModelUnavailable, match=r"lacks 1 tensors.*layers\.0\.feed_forward\.w2\.weight"):
        read(folder)


def test_a_misshapen_tensor_is_named_with_both_shapes(folder: Path) -> None:
    torch.save(stored(folder) | {"norm.weight": torch.ones(7)}, folder / "model.pth")
    with pytest.raises(ModelUnavailable, match=r"norm\.weight has shape \(7,\), expected \(128,\)"):
        read(folder)


def test_a_tensor_that_the_configuration_does_not_know_is_named(folder: Path) -> None:
    torch.save(stored(folder) | {"layers.1.norm": torch.ones(1)}, folder / "model.pth")
    with pytest.raises(ModelUnavailable, match=r"does not know: layers\.1\.norm"):
        read(folder)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x80\x04cos\nsystem\n"])
def test_a_damaged_file_is_named_and_nothing_in_it_is_run(folder: Path, content: bytes) -> None:
    (folder / "model.pth").write_bytes(content)
    with pytest.raises(ModelUnavailable, match=r"model\.pth"):
        read(folder)


def test_a_folder_without_weights_says_what_was_expected(folder: Path) -> None:
    (folder / "model.pth").unlink()
    with pytest.raises(ModelUnavailable, match=r"holds none of model\.pth"):
        read(folder)
