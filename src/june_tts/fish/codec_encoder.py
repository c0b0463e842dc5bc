"""Samples to codes: four strided convolutions, a transformer, two downsamplings by 2, another transformer,
and the nearest code of each of ten codebooks.

Always in float32: near a border between two codes, rounding decides, and fish-speech 0.1.0 encodes in
float32. Every layer looks back only, so a recording of any length is encoded a stretch at a time with carried
state.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from june_tts.fish.codec_decoder import (
    CODE_WIDTH,
    CODEBOOK_SIZES,
    DILATIONS,
    TAPS,
    read_convnext,
    read_unit,
)
from june_tts.fish.codec_layers import ConvNeXt, Linear, ResidualUnit, Taps
from june_tts.fish.codec_stream import Carry, Layout
from june_tts.fish.codec_transformer import WindowTransformer
from june_tts.fish.codec_weights import CodecFile

STRIDES = (2, 4, 8, 8)
FRAME = 2048
"""Samples."""
WINDOWS = (512, 128)
"""Positions that attention sees: at 4 positions a frame in the encoder, at 1 before the quantizer and after
it."""
STRETCH = 32
"""Frames encoded at a time."""


class Encoder:
    """The encoding half. `encode` keeps no state between calls."""

    def __init__(self, file: CodecFile, device: torch.device, windows: tuple[int, int]) -> None:
        self._layout = Layout()
        self._like = torch.empty(0, device=device)
        self._first = self._convolution(file, "encoder.block.0", 1, rate=FRAME)
        self._blocks = list(self._stages(file))
        self._middle = self._transformer(file, "encoder.block.4.block.5", windows[0], rate=4)
        width = file.width("encoder.block.6.conv.bias")
        alpha = file.tensor("encoder.block.5.alpha", 1, width, 1).flatten()
        self._last = self._convolution(file, "encoder.block.6", width, rate=4, taps=3, alpha=alpha)
        self._downsampling = list(self._downsamplings(file))
        self._end = self._transformer(file, "quantizer.pre_module", windows[1], rate=1)
        self._quantizers = [
            Quantizer(file, f"quantizer.{name}", size, self._like)
            for name, size in zip(_quantizer_names(), CODEBOOK_SIZES, strict=True)
        ]

    def encode(self, samples: Tensor) -> Tensor:
        """Samples (n,) to codes (10, frames); zeros are added up to a whole frame."""
        frames = F.pad(samples, (0, -len(samples) % FRAME)).view(1, -1, FRAME)
        history = torch.zeros(1, self._layout.size, device=self._like.device)
        codes = []
        for start in range(0, frames.shape[1], STRETCH):
            stretch = frames[:, start : start + STRETCH]
            carry = Carry(history, [start], [stretch.shape[1]])
            codes.append(self._quantize(self._latent(carry, stretch, start))[0])
            history = carry.next
        return torch.cat(codes, dim=1)

    def _latent(self, carry: Carry, stretch: Tensor, first: int) -> Tensor:
        """(1, frames, 2048) to (1, frames, channels)."""
        x = self._first(carry, stretch.reshape(1, -1, 1))
        for stride, units, strided in self._blocks:
            for unit in units:
                x = unit(carry, x)
            x = strided(carry, torch.unflatten(x, 1, (-1, stride)).flatten(2))
        x = self._last(carry, self._middle(carry, x, first))
        for narrower, convnext in self._downsampling:
            x = convnext(carry, narrower(torch.unflatten(x, 1, (-1, 2)).flatten(2)))
        return self._end(carry, x, first)

    def _quantize(self, z: Tensor) -> Tensor:
        """(1, frames, channels) to (1, 10, frames): each codebook codes what the ones before it left over."""
        codes = []
        for quantizer in self._quantizers:
            found, vector = quantizer(z)
            codes.append(found)
            z = z - vector
        return torch.stack(codes, dim=1)

    def _stages(self, file: CodecFile) -> Iterator[tuple[int, list[ResidualUnit], Taps]]:
        rate = FRAME
        for index, stride in enumerate(STRIDES, 1):
            name = f"encoder.block.{index}.block"
            units = [
                read_unit(file, f"{name}.{unit}", self._layout, dilation=dilation, rate=rate, like=self._like)
                for unit, dilation in enumerate(DILATIONS)
            ]
            rate //= stride
            yield stride, units, self._strided(file, name, stride, rate)

    def _strided(self, file: CodecFile, name: str, stride: int, rate: int) -> Taps:
        """Snake, then kernel 2s and stride s: two rows of s samples make one."""
        out = file.width(f"{name}.4.conv.bias")
        alpha = file.tensor(f"{name}.3.alpha", 1, out // 2, 1).flatten().repeat(stride)
        weight = file.weight(f"{name}.4.conv", out, out // 2, 2 * stride)
        rows = torch.unflatten(weight, 2, (2, stride)).permute(0, 2, 3, 1).flatten(2)
        bias = file.tensor(f"{name}.4.conv.bias", out)
        return Taps(self._layout, rows, bias, rate=rate, like=self._like, alpha=alpha)

    def _convolution(
        self,
        file: CodecFile,
        name: str,
        width: int,
        *,
        rate: int,
        taps: int = TAPS,
        alpha: Tensor | None = None,
    ) -> Taps:
        out = file.width(f"{name}.conv.bias")
        weight = file.weight(f"{name}.conv", out, width, taps).transpose(1, 2)
        bias = file.tensor(f"{name}.conv.bias", out)
        return Taps(self._layout, weight, bias, rate=rate, like=self._like, alpha=alpha)

    def _transformer(self, file: CodecFile, name: str, window: int, rate: int) -> WindowTransformer:
        return WindowTransformer(file, name, self._layout, window=window, rate=rate, like=self._like)

    def _downsamplings(self, file: CodecFile) -> Iterator[tuple[Linear, ConvNeXt]]:
        for index in range(2):
            name = f"quantizer.downsample.{index}"
            width = file.width(f"{name}.0.conv.bias")
            weight = file.tensor(f"{name}.0.conv.weight", width, width, 2).transpose(1, 2).flatten(1)
            narrower = Linear(weight.to(self._like), file.tensor(f"{name}.0.conv.bias", width).to(self._like))
            yield (
                narrower,
                read_convnext(file, f"{name}.1", self._layout, rate=2 // (index + 1), like=self._like),
            )


class Quantizer:
    """The nearest entry of one codebook by cosine (DAC), step by step as the reference computes it."""

    def __init__(self, file: CodecFile, name: str, size: int, like: Tensor) -> None:
        width = file.width(f"{name}.out_proj.bias")
        self._into = file.weight(f"{name}.in_proj", CODE_WIDTH, width, 1)[..., 0].to(like)
        self._into_bias = file.tensor(f"{name}.in_proj.bias", CODE_WIDTH).to(like)
        self._out = file.weight(f"{name}.out_proj", width, CODE_WIDTH, 1)[..., 0].to(like)
        self._out_bias = file.tensor(f"{name}.out_proj.bias", width).to(like)
        self._vectors = file.tensor(f"{name}.codebook.weight", size, CODE_WIDTH).to(like)
        self._unit = F.normalize(self._vectors)

    def __call__(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """(1, frames, channels) to codes (1, frames) and their vectors (1, frames, channels)."""
        e = F.linear(z, self._into, self._into_bias)
        unit = F.normalize(e, dim=-1)
        lengths = unit.pow(2).sum(-1, keepdim=True), self._unit.pow(2).sum(-1)
        codes = (-(lengths[0] - 2 * unit @ self._unit.t() + lengths[1])).max(-1)[1]
        # e + (c - e) is not always c in its last bit, and the reference passes on the former
        passed = e + (self._vectors[codes] - e)
        return codes, F.linear(passed, self._out, self._out_bias)


def _quantizer_names() -> list[str]:
    return ["semantic_quantizer.quantizers.0", *(f"quantizer.quantizers.{index}" for index in range(9))]
