"""Codes to samples: quantizer, transformer, two upsamplings by 2, four transposed convolutions, 2,048 samples
a frame.

Rates in rows a frame: the transformer runs at 1, the upsampling ends at 4, and the decoder's blocks end at
32, 256, 1024 and 2048.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from june_tts.fish.codec_layers import ConvNeXt, Linear, ResidualUnit, Taps, safe
from june_tts.fish.codec_stream import Carry, Layout
from june_tts.fish.codec_transformer import WindowTransformer
from june_tts.fish.codec_weights import CodecFile

CODEBOOK_SIZES = (4096, *[1024] * 9)
"""The semantic codebook, then the residual ones."""
CODE_WIDTH = 8
STRIDES = (8, 8, 4, 2)
DILATIONS = (1, 3, 9)
TAPS = 7


class Decoder:
    """The decoding half, its weights on one device."""

    def __init__(self, file: CodecFile, like: Tensor, window: int) -> None:
        """`like`: an empty tensor of the device and dtype to compute in. `window` of the attention, in
        frames."""
        self.layout = Layout()
        self._like = like
        self._codes = Codebooks(file, like)
        self._transformer = WindowTransformer(
            file, "quantizer.post_module", self.layout, window=window, rate=1, like=like
        )
        self._upsampling = list(self._upsamplings(file))
        self._first = self._convolution(file, "decoder.model.0", rate=4)
        self._blocks = list(self._stages(file))
        self._last = self._final(file)

    def __call__(self, carry: Carry, codes: Tensor, first: int) -> Tensor:
        """Codes (batch, frames, 10) to samples (batch, frames * 2048) in float32."""
        x = self._transformer(carry, self._codes(codes), first)
        for wider, convnext in self._upsampling:
            x = convnext(carry, torch.unflatten(wider(x), 2, (2, -1)).flatten(1, 2))
        x = self._first(carry, x)
        for stride, transposed, units in self._blocks:
            x = torch.unflatten(transposed(carry, x), 2, (stride, -1)).flatten(1, 2)
            for unit in units:
                x = unit(carry, x)
        return torch.tanh(self._last(carry, x)[..., 0])

    def _upsamplings(self, file: CodecFile) -> Iterator[tuple[Linear, ConvNeXt]]:
        for index in range(2):
            name = f"quantizer.upsample.{index}"
            width = file.width(f"{name}.0.conv.bias")
            # kernel 2, stride 2: every row makes two, and no two rows meet
            weight = file.tensor(f"{name}.0.conv.weight", width, width, 2).permute(2, 1, 0).flatten(0, 1)
            bias = file.tensor(f"{name}.0.conv.bias", width).repeat(2)
            wider = Linear(weight.to(self._like), bias.to(self._like))
            yield wider, read_convnext(file, f"{name}.1", self.layout, rate=2 ** (index + 1), like=self._like)

    def _stages(self, file: CodecFile) -> Iterator[tuple[int, Taps, list[ResidualUnit]]]:
        rate = 4
        for index, stride in enumerate(STRIDES, 1):
            name = f"decoder.model.{index}.block"
            transposed = self._transposed(file, name, stride, rate)
            rate *= stride
            units = [
                read_unit(file, f"{name}.{unit}", self.layout, dilation=dilation, rate=rate, like=self._like)
                for unit, dilation in enumerate(DILATIONS, 2)
            ]
            yield stride, transposed, units

    def _transposed(self, file: CodecFile, name: str, stride: int, rate: int) -> Taps:
        """Snake, then kernel 2s and stride s: samples t * s + r come of x[t] W[r] + x[t - 1] W[s + r]."""
        out = file.width(f"{name}.1.conv.bias")
        alpha = file.tensor(f"{name}.0.alpha", 1, 2 * out, 1).flatten()
        weight = file.weight(f"{name}.1.conv", 2 * out, out, 2 * stride)
        rows = torch.unflatten(weight, 2, (2, stride)).flip(2).permute(3, 1, 2, 0).flatten(0, 1)
        bias = file.tensor(f"{name}.1.conv.bias", out).repeat(stride)
        return Taps(self.layout, rows, bias, rate=rate, like=self._like, alpha=alpha)

    def _convolution(self, file: CodecFile, name: str, rate: int) -> Taps:
        out, width = file.width(f"{name}.conv.bias"), file.width("quantizer.post_module.norm.weight")
        weight = file.weight(f"{name}.conv", out, width, TAPS).transpose(1, 2)
        return Taps(self.layout, weight, file.tensor(f"{name}.conv.bias", out), rate=rate, like=self._like)

    def _final(self, file: CodecFile) -> Taps:
        """In float32 whatever the rest is: bfloat16 samples would have eight bits."""
        width = file.width("decoder.model.4.block.1.conv.bias")
        alpha = file.tensor("decoder.model.5.alpha", 1, width, 1).flatten()
        weight = file.weight("decoder.model.6.conv", 1, width, TAPS).transpose(1, 2)
        bias = file.tensor("decoder.model.6.conv.bias", 1)
        return Taps(self.layout, weight, bias, rate=2048, like=self._like, alpha=alpha, product=torch.float32)


class Codebooks:
    """The sum of a frame's ten code vectors, each projected from 8 channels: one look-up, one small product.

    In float32, then rounded once: it is next to no work.
    """

    def __init__(self, file: CodecFile, like: Tensor) -> None:
        width = file.width("quantizer.post_module.norm.weight")
        names = ["semantic_quantizer.quantizers.0", *(f"quantizer.quantizers.{i}" for i in range(9))]
        books = [f"quantizer.{name}" for name in names]
        vectors = [
            file.tensor(f"{book}.codebook.weight", size, CODE_WIDTH)
            for book, size in zip(books, CODEBOOK_SIZES, strict=True)
        ]
        weights = [file.weight(f"{book}.out_proj", width, CODE_WIDTH, 1)[..., 0] for book in books]
        bias = sum((file.tensor(f"{book}.out_proj.bias", width) for book in books), torch.zeros(()))
        self._vectors = torch.cat(vectors).to(like.device)
        self._linear = Linear(torch.cat(weights, dim=1).to(like.device), bias.to(like.device))
        sizes = torch.tensor(CODEBOOK_SIZES)
        self._last = (sizes - 1).to(like.device)
        self._begin = (sizes.cumsum(0) - sizes).to(like.device)
        self._dtype = like.dtype

    def __call__(self, codes: Tensor) -> Tensor:
        """(batch, frames, 10) to (batch, frames, channels). Codes too large become the largest, as in the
        reference."""
        vectors = self._vectors[torch.minimum(codes, self._last) + self._begin]
        return self._linear(vectors.flatten(2)).to(self._dtype)


def read_unit(
    file: CodecFile, name: str, layout: Layout, *, dilation: int, rate: int, like: Tensor
) -> ResidualUnit:
    """Both Snakes' factors go into the weights around them."""
    width = file.width(f"{name}.block.1.conv.bias")
    first, second = (
        safe(file.tensor(f"{name}.block.{part}.alpha", 1, width, 1).flatten()) for part in (0, 2)
    )
    weight = file.weight(f"{name}.block.1.conv", width, width, TAPS).transpose(1, 2) * second[:, None, None]
    bias = file.tensor(f"{name}.block.1.conv.bias", width) * second
    into = Taps(layout, weight, bias, rate=rate, like=like, dilation=dilation, alpha=first)
    out = file.weight(f"{name}.block.3.conv", width, width, 1)[..., 0] / second
    return ResidualUnit(into, Linear(out.to(like), file.tensor(f"{name}.block.3.conv.bias", width).to(like)))


def read_convnext(file: CodecFile, name: str, layout: Layout, *, rate: int, like: Tensor) -> ConvNeXt:
    """The norm's weight and bias go into the first product, gamma into the second."""
    width = file.width(f"{name}.gamma")
    norm, shift = (file.tensor(f"{name}.norm.{part}", width) for part in ("weight", "bias"))
    up = file.tensor(f"{name}.pwconv1.weight", 4 * width, width)
    up_bias = file.tensor(f"{name}.pwconv1.bias", 4 * width) + up @ shift
    gamma = file.tensor(f"{name}.gamma", width)
    down = file.tensor(f"{name}.pwconv2.weight", width, 4 * width) * gamma[:, None]
    down_bias = file.tensor(f"{name}.pwconv2.bias", width) * gamma
    return ConvNeXt(
        layout,
        file.tensor(f"{name}.dwconv.conv.weight", width, 1, TAPS).to(like),
        file.tensor(f"{name}.dwconv.conv.bias", width).to(like),
        Linear((up * norm).to(like), up_bias.to(like)),
        Linear(down.to(like), down_bias.to(like)),
        rate=rate,
    )
