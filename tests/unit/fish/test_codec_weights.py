"""codec.pth in every layout that is about, and what is said of a damaged one."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from bench.fish_codec_file import write_codec

from june_tts.errors import ModelUnavailable
from june_tts.fish.codec import Codec
from june_tts.fish.codec_weights import CodecFile

pytestmark = pytest.mark.unit

CODES = np.arange(30, dtype=np.int32).reshape(10, 3)
DECODING = "decoder.model.2.block.3.block.1.conv.parametrizations.weight.original1"
ENCODING = "encoder.block.4.block.5.layers.1.attention.wo.weight"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_codec(tmp_path_factory.mktemp("codec") / "codec.pth", size="tiny")


def sound(path: Path) -> bytes:
    codec = Codec(path)
    return codec.decode([codec.stream()], [CODES])[0].tobytes()


def changed(path: Path, folder: Path, **tensors: torch.Tensor | None) -> Path:
    """A copy with some tensors (dots as double underscores) replaced, or left out where None."""
    state = torch.load(path, weights_only=True)
    for name, tensor in tensors.items():
        del state[name.replace("__", ".")]
        if tensor is not None:
            state[name.replace("__", ".")] = tensor
    torch.save(state, folder / "codec.pth")
    return folder / "codec.pth"


def test_prefixes_nesting_and_stale_tables_change_nothing(path: Path, tmp_path: Path) -> None:
    other = write_codec(tmp_path / "codec.pth", size="tiny", prefix="generator.", nested=True, buffers=True)
    assert len(torch.load(other, mmap=True, weights_only=True)["state_dict"]) == 6 + len(
        torch.load(path, mmap=True, weights_only=True)
    )
    assert sound(other) == sound(path)


def test_weight_norm_is_folded_the_same_from_both_encodings_and_from_neither(
    path: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.ConvTranspose1d(6, 4, 8), dim=0)
    with torch.no_grad():
        layer.parametrizations.weight.original0.mul_(torch.rand(6, 1, 1) + 0.5)
    g, v = (getattr(layer.parametrizations.weight, f"original{part}").detach() for part in (0, 1))
    new = {"a.parametrizations.weight.original0": g, "a.parametrizations.weight.original1": v}
    for state in (new, {"a.weight_g": g, "a.weight_v": v}, {"a.weight": layer.weight.detach()}):
        torch.save(state, tmp_path / "layer.pth")
        folded = CodecFile.open(tmp_path / "layer.pth").weight("a", 6, 4, 8)
        torch.testing.assert_close(folded, layer.weight.detach(), atol=1e-7, rtol=0)


@pytest.mark.parametrize("name", [DECODING, ENCODING])
def test_a_missing_tensor_is_named_at_loading_in_either_half(path: Path, tmp_path: Path, name: str) -> None:
    broken = changed(path, tmp_path, **{name.replace(".", "__"): None})
    missing = name.replace("parametrizations.weight.original1", "weight")
    with pytest.raises(ModelUnavailable, match=re.escape(missing)) as raised:
        Codec(broken)
    assert str(broken) in str(raised.value)


@pytest.mark.parametrize("name", [DECODING, ENCODING])
def test_a_misshapen_tensor_is_named_with_both_shapes(path: Path, tmp_path: Path, name: str) -> None:
    broken = changed(path, tmp_path, **{name.replace(".", "__"): torch.zeros(3, 2)})
    with pytest.raises(ModelUnavailable, match=re.escape(f"{name} has shape (3, 2), expected (")):
        Codec(broken)


def test_a_file_that_is_cut_off_or_no_file_of_tensors_is_named(path: Path, tmp_path: Path) -> None:
    broken = tmp_path / "codec.pth"
    for content in (path.read_bytes()[:100_000], b"", b"not a checkpoint", b"\x80\x04N."):
        broken.write_bytes(content)
        with pytest.raises(ModelUnavailable, match=re.escape(str(broken))):
            Codec(broken)
    torch.save([torch.zeros(2)], broken)
    with pytest.raises(ModelUnavailable, match="holds a list, expected tensors by name"):
        Codec(broken)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for absent in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(ModelUnavailable, match=re.escape(str(absent))):
            Codec(absent)


class Payload:
    """What a hostile file would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("taken over",)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"a": Payload()}, tmp_path / "codec.pth")
    with pytest.raises(ModelUnavailable, match="no file of tensors"):
        Codec(tmp_path / "codec.pth")
    assert capsys.readouterr().out == ""


def test_bfloat16_files_load(tmp_path: Path) -> None:
    path = write_codec(tmp_path / "codec.pth", size="tiny", dtype=torch.bfloat16)
    assert len(sound(path)) == 3 * 2048 * 4
