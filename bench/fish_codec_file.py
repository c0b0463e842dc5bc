"""Writes a Fish codec (codec.pth of the published layout) of random weights: the true keys, shapes and cost,
and noise for a voice. Weights are scaled so that a signal keeps its size through every layer.

    python -m bench.fish_codec_file OUT/codec.pth --size tiny --seed 7

Needs only torch.
"""

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

State = dict[str, Tensor]
Entries = Iterator[tuple[str, Tensor]]

HEAD = 64
"""Channels of an attention head."""
TAPS = 7
"""Kernel of the dilated and the depthwise convolutions."""


@dataclass(frozen=True, slots=True)
class Size:
    """Widths and depths; strides are the published ones, so that a frame has 2,048 samples in every size."""

    encoder: int
    """Channels after the first convolution of the encoder, doubled at each of its four strides."""
    decoder: int
    """Channels after the first convolution of the decoder, halved at each of its four strides."""
    encoder_layers: int
    layers: int
    """Of the transformer before and of the one after the quantizer."""

    @property
    def latent(self) -> int:
        return self.encoder * 16


SIZES = {"full": Size(64, 1536, 4, 8), "tiny": Size(8, 64, 2, 3)}
STRIDES = (2, 4, 8, 8)
CODEBOOKS = (4096, *[1024] * 9)
CODE_WIDTH = 8


def write_codec(
    path: Path,
    *,
    size: str = "full",
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    prefix: str = "",
    nested: bool = False,
    buffers: bool = False,
) -> Path:
    """codec.pth at `path`, which is returned. `prefix` goes before every key, `nested` puts the state into
    "state_dict", `buffers` adds the six stale tables (0.3 GB at either size)."""
    random = torch.Generator().manual_seed(seed)
    state = {f"{prefix}{name}": tensor.to(dtype) for name, tensor in _Writer(SIZES[size], random).state()}
    if buffers:
        state |= {f"{prefix}{name}": tensor for name, tensor in _stale()}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": state} if nested else state, path)
    return path


class _Writer:
    """Yields every tensor of the file. `gain` is how much louder a layer's output is than its input."""

    def __init__(self, size: Size, random: torch.Generator) -> None:
        self._size = size
        self._random = random

    def state(self) -> Entries:
        yield from self._encoder()
        yield from self._quantizer()
        yield from self._decoder()

    def _encoder(self) -> Entries:
        width = self._size.encoder
        yield from self._conv("encoder.block.0", 1, width, TAPS, gain=6.0)  # speech has an rms near 0.1
        for index, stride in enumerate(STRIDES, 1):
            block = f"encoder.block.{index}.block"
            for unit in range(3):
                yield from self._unit(f"{block}.{unit}", width)
            yield from self._snake(f"{block}.3", width)
            yield from self._conv(f"{block}.4", width, 2 * width, 2 * stride, gain=0.6)
            width *= 2
        yield from self._transformer("encoder.block.4.block.5", self._size.encoder_layers)
        yield from self._snake("encoder.block.5", width)
        yield from self._conv("encoder.block.6", width, width, 3)

    def _quantizer(self) -> Entries:
        for book, entries in enumerate(CODEBOOKS):
            kind, index = ("semantic_quantizer", 0) if book == 0 else ("quantizer", book - 1)
            yield from self._codebook(f"quantizer.{kind}.quantizers.{index}", entries)
        width = self._size.latent
        for name in ("downsample", "upsample"):
            for index in range(2):
                # one tap of two reaches an output of the transposed convolution, both reach the other's
                taps = 2 if name == "downsample" else 1
                weight = self._noise(width, width, 2) / math.sqrt(taps * width)
                yield f"quantizer.{name}.{index}.0.conv.weight", weight
                yield f"quantizer.{name}.{index}.0.conv.bias", self._noise(width) * 0.1
                yield from self._convnext(f"quantizer.{name}.{index}.1", width)
        for name in ("pre_module", "post_module"):
            yield from self._transformer(f"quantizer.{name}", self._size.layers)

    def _decoder(self) -> Entries:
        width = self._size.decoder
        yield from self._conv("decoder.model.0", self._size.latent, width, TAPS)
        for index, stride in enumerate(reversed(STRIDES), 1):
            block = f"decoder.model.{index}.block"
            yield from self._snake(f"{block}.0", width)
            yield from self._transposed(f"{block}.1", width, width // 2, stride)
            width //= 2
            for unit in range(2, 5):
                yield from self._unit(f"{block}.{unit}", width)
        yield from self._snake("decoder.model.5", width)
        yield from self._conv("decoder.model.6", width, 1, TAPS, gain=0.15)

    def _unit(self, name: str, width: int) -> Entries:
        yield from self._snake(f"{name}.block.0", width)
        yield from self._conv(f"{name}.block.1", width, width, TAPS, gain=0.7)
        yield from self._snake(f"{name}.block.2", width)
        yield from self._conv(f"{name}.block.3", width, width, 1, gain=0.4)

    def _snake(self, name: str, width: int) -> Entries:
        yield f"{name}.alpha", 0.3 + 1.5 * torch.rand(1, width, 1, generator=self._random)

    def _conv(self, name: str, width: int, out: int, taps: int, gain: float = 0.7) -> Entries:
        # weight norm: the norm of a row of the effective weight is g alone, whatever v is
        yield f"{name}.conv.bias", self._noise(out) * 0.05
        yield f"{name}.conv.parametrizations.weight.original0", gain * self._around_one(out, 1, 1)
        yield f"{name}.conv.parametrizations.weight.original1", self._noise(out, width, taps)

    def _transposed(self, name: str, width: int, out: int, stride: int) -> Entries:
        # two of its 2 * stride taps reach an output; dimension 0, which g belongs to, is the input here
        norm = 0.6 * math.sqrt(out * 2 * stride / (2 * width))
        yield f"{name}.conv.bias", self._noise(out) * 0.05
        yield f"{name}.conv.parametrizations.weight.original0", norm * self._around_one(width, 1, 1)
        yield f"{name}.conv.parametrizations.weight.original1", self._noise(width, out, 2 * stride)

    def _codebook(self, name: str, entries: int) -> Entries:
        width = self._size.latent
        for part, (into, out) in {"in_proj": (width, CODE_WIDTH), "out_proj": (CODE_WIDTH, width)}.items():
            yield f"{name}.{part}.bias", self._noise(out) * 0.05
            yield f"{name}.{part}.weight_g", 0.3 * self._around_one(out, 1, 1)
            yield f"{name}.{part}.weight_v", self._noise(out, into, 1)
        yield f"{name}.codebook.weight", self._noise(entries, CODE_WIDTH)

    def _convnext(self, name: str, width: int) -> Entries:
        yield f"{name}.gamma", 0.3 * self._around_one(width)
        yield f"{name}.dwconv.conv.weight", self._noise(width, 1, TAPS) / math.sqrt(TAPS)
        yield f"{name}.dwconv.conv.bias", self._noise(width) * 0.1
        yield f"{name}.norm.weight", self._around_one(width)
        yield f"{name}.norm.bias", self._noise(width) * 0.1
        yield from self._linear(f"{name}.pwconv1", width, 4 * width)
        yield f"{name}.pwconv1.bias", self._noise(4 * width) * 0.1
        yield from self._linear(f"{name}.pwconv2", 4 * width, width)
        yield f"{name}.pwconv2.bias", self._noise(width) * 0.1

    def _transformer(self, name: str, layers: int) -> Entries:
        width = self._size.latent
        for index in range(layers):
            layer = f"{name}.layers.{index}"
            yield from self._linear(f"{layer}.attention.wqkv", width, 3 * width)
            yield from self._linear(f"{layer}.attention.wo", width, width)
            yield from self._linear(f"{layer}.feed_forward.w1", width, 3 * width)
            yield from self._linear(f"{layer}.feed_forward.w3", width, 3 * width)
            yield from self._linear(f"{layer}.feed_forward.w2", 3 * width, width)
            for part in ("ffn_norm.weight", "attention_norm.weight"):
                yield f"{layer}.{part}", self._around_one(width)
            for part in ("attention_layer_scale.gamma", "ffn_layer_scale.gamma"):
                yield f"{layer}.{part}", 0.3 * self._around_one(width)
        yield f"{name}.norm.weight", self._around_one(width)

    def _linear(self, name: str, width: int, out: int) -> Entries:
        yield f"{name}.weight", self._noise(out, width) / math.sqrt(width)

    def _noise(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self._random)

    def _around_one(self, *shape: int) -> Tensor:
        return 1 + 0.1 * self._noise(*shape)


def _stale() -> Entries:
    """Tables that the reference saves and nobody reads: masks, and bfloat16 rotations."""
    tables = {"encoder.block.4.block.5": 16384, "quantizer.pre_module": 4096, "quantizer.post_module": 4096}
    for name, positions in tables.items():
        yield f"{name}.freqs_cis", torch.zeros(positions, HEAD // 2, 2, dtype=torch.bfloat16)
        yield f"{name}.causal_mask", torch.ones(positions, positions, dtype=torch.bool).tril()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="float32")
    parser.add_argument("--buffers", action="store_true", help="add the six stale tables of the original")
    given: Any = parser.parse_args()
    path = write_codec(
        given.out, size=given.size, seed=given.seed, dtype=getattr(torch, given.dtype), buffers=given.buffers
    )
    sys.stdout.write(f"{path}: {path.stat().st_size / 1e6:.0f} MB\n")


if __name__ == "__main__":
    main()
