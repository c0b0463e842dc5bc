"""The layers that the codec's two halves are made of, for tensors of shape (batch, rows, channels).

Channels come last, and everything that is multiplied is a product over rows: oneDNN and cuDNN are then at
their best, and reshaping (rows, stride * channels) to (rows * stride, channels) costs nothing.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from june_tts.fish.codec_stream import Carry, Layout

PACKED_DTYPES = (torch.float32, torch.bfloat16)
EXPECTED_ROWS = 384
"""For which oneDNN lays out a packed weight; a layout for 32 or more rows is as fast for fewer."""
GATHER_WIDTH = 512
"""From so many channels on, a convolution's weight costs more to reorder in every call than its rows to
gather."""
LEAST_ALPHA = 1e-6
"""A Snake as flat as this is the identity to float32; below it, dividing by alpha would lose its digits."""


class Linear:
    """y = x W^T + b, with the weight laid out for the machine where that helps."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        """`weight` (out, in) on the device and of the dtype that it is used with."""
        self._bias = bias
        self._packed = packable(weight)
        self._weight = (
            torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), EXPECTED_ROWS)
            if self._packed
            else weight.contiguous()
        )

    def __call__(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        """(…, in) to (…, out), plus `add`."""
        if self._packed:
            return self._product(x, add)
        y = F.linear(x, self._weight, self._bias)
        return y if add is None else y.add_(add)

    def _product(self, x: Tensor, add: Tensor | None) -> Tensor:
        product = torch.ops.mkldnn._linear_pointwise
        y: Tensor = (
            product(x, self._weight, self._bias, "none", [], "")
            if add is None
            else product.binary(x, add, self._weight, self._bias, "add")
        )
        return y


def packable(weight: Tensor) -> bool:
    """Whether this torch can keep `weight` in oneDNN's own layout, as its compiler does on CPUs. Measured
    here: 2.3 times as fast as torch's own product in float32, 1.2 to 2 times in bfloat16."""
    there = hasattr(torch.ops.mkldnn, "_reorder_linear_weight")
    return there and weight.device.type == "cpu" and weight.dtype in PACKED_DTYPES


class Taps:
    """A causal convolution: y[t] = b + sum over j of W[:, j] x[t - (taps - 1 - j) * dilation], maybe with a
    Snake before it.

    Strided ones are the same over wider rows. With kernel 2s and stride s, a convolution reads two rows of s
    samples, and a transposed one makes a row of s samples from two rows.
    """

    def __init__(
        self,
        layout: Layout,
        weight: Tensor,
        bias: Tensor,
        *,
        rate: int,
        like: Tensor,
        dilation: int = 1,
        alpha: Tensor | None = None,
        product: torch.dtype | None = None,
    ) -> None:
        """`weight` (out, taps, width) in float32; `alpha` (width,) of the Snake; `like` gives device and
        dtype, and `product` the dtype to multiply in where it is another."""
        _, self._taps, width = weight.shape
        self._dilation = dilation
        self._slot = layout.add((self._taps - 1) * dilation, width, rate)
        self._alpha = None
        if alpha is not None:
            alpha = safe(alpha)
            weight = weight / alpha
            self._alpha = alpha.to(like)
        self._dtype = product or like.dtype
        self._product = self._choose(*(part.to(like.device, self._dtype) for part in (weight, bias)))

    def _choose(self, weight: Tensor, bias: Tensor) -> "Gathered | Convolved":
        kind = Gathered if weight.shape[2] >= GATHER_WIDTH else Convolved
        return kind(weight, bias, self._dilation)

    def __call__(self, carry: Carry, x: Tensor) -> Tensor:
        """(batch, rows, width) to (batch, rows, out)."""
        rows = x.shape[1]
        window = carry.open(self._slot, rows)
        new = window[:, self._slot.rows :]
        if self._alpha is None:
            new.copy_(x)
        else:
            snake_(torch.mul(x, self._alpha, out=new))
        carry.keep(self._slot, window)
        return self._product(window.to(self._dtype), rows)


class Gathered:
    """Copies each row's taps side by side and makes one product: for wide rows, of which there are few."""

    def __init__(self, weight: Tensor, bias: Tensor, dilation: int) -> None:
        self._taps, self._dilation = weight.shape[1], dilation
        self._linear = Linear(weight.flatten(1), bias)

    def __call__(self, window: Tensor, rows: int) -> Tensor:
        batch, _, width = window.shape
        step, row, one = window.stride()
        taps = window.as_strided((batch, rows, self._taps, width), (step, row, row * self._dilation, one))
        return self._linear(taps.reshape(batch, rows, self._taps * width))


class Convolved:
    """The library's own convolution, as one over images of height 1: for narrow rows, of which there are
    many."""

    def __init__(self, weight: Tensor, bias: Tensor, dilation: int) -> None:
        self._dilation = dilation
        # (out, taps, width) is (out, width, 1, taps) in channels-last order already
        self._weight = weight.contiguous()[:, None].permute(0, 3, 1, 2)
        self._bias = bias

    def __call__(self, window: Tensor, rows: int) -> Tensor:
        image = window[:, None].permute(0, 3, 1, 2)
        y = F.conv2d(image, self._weight, self._bias, dilation=(1, self._dilation))
        return y.permute(0, 2, 3, 1)[:, 0]


class ResidualUnit:
    """x + conv1(Snake(conv7(Snake(x)))), the first convolution dilated."""

    def __init__(self, into: Taps, out: Linear) -> None:
        self._into, self._out = into, out

    def __call__(self, carry: Carry, x: Tensor) -> Tensor:
        return self._out(snake_(self._into(carry, x)), add=x)


class ConvNeXt:
    """x + W2 GELU(W1 LayerNorm(depthwise conv7(x))); the norm's and the last scale are folded into W1 and
    W2."""

    def __init__(
        self, layout: Layout, depthwise: Tensor, bias: Tensor, w1: Linear, w2: Linear, *, rate: int
    ) -> None:
        """`depthwise` (channels, 1, taps)."""
        self._weight, self._bias = depthwise[:, :, None].contiguous(memory_format=torch.channels_last), bias
        self._slot = layout.add(depthwise.shape[2] - 1, depthwise.shape[0], rate)
        self._w1, self._w2 = w1, w2

    def __call__(self, carry: Carry, x: Tensor) -> Tensor:
        window = carry.open(self._slot, x.shape[1])
        window[:, self._slot.rows :] = x
        carry.keep(self._slot, window)
        image = window[:, None].permute(0, 3, 1, 2)
        y = F.conv2d(image, self._weight, self._bias, groups=x.shape[2]).permute(0, 2, 3, 1)[:, 0]
        y = F.layer_norm(y, (x.shape[2],), eps=1e-6)
        return self._w2(F.gelu(self._w1(y)), add=x)


def snake_(u: Tensor) -> Tensor:
    """u + sin(u)^2 in place. Snake is x + sin(a x)^2 / a (DAC): with u = a x it is this, divided by a, and
    both factors belong in the weights before and after it."""
    wave = torch.sin(u)
    return u.addcmul_(wave, wave)


def safe(alpha: Tensor) -> Tensor:
    """A Snake's alpha, kept away from the zero that is divided by."""
    return torch.where(alpha.abs() < LEAST_ALPHA, LEAST_ALPHA, alpha)
