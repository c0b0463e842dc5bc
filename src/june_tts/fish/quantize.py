"""Weight-only quantisation: int8 by output row, int4 by groups of a row; activations stay in bfloat16.

Products run on torch's own packed kernels where the device has them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from june_tts.fish.linear import Linear, dense

GROUP = 64
"""Weights that share a scale and a zero in int4: 4.5 bits each in all."""
FEW_ROWS = 4
"""Up to so many rows an int4 or int8 product is bound by reading the weights; beyond it by arithmetic."""


class Int8:
    """y = (x W8^T) * scale, symmetric: scale = max |w| of the row / 127."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        scale = weight.float().abs().amax(dim=1).clamp(min=1e-8) / 127
        self._weight = (weight.float() / scale.unsqueeze(1)).round().to(torch.int8)
        self._scale, self._bias = scale.to(weight.dtype), bias

    def __call__(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu":
            y: Tensor = torch._weight_int8pack_mm(x, self._weight, self._scale)
        else:
            y = F.linear(x, self._weight.to(x.dtype)) * self._scale
        return y if self._bias is None else y + self._bias


class Int4:
    """y = x (scale * (q - 8) + zero)^T, q in 0 .. 15, scale and zero for each GROUP weights of a row."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        quantised, scales = groupwise(weight)
        self._scales, self._bias = scales, bias
        if weight.device.type == "cpu":
            self._weight = torch._convert_weight_to_int4pack_for_cpu(quantised, 1)
        else:
            halves = (quantised[:, ::2] << 4 | quantised[:, 1::2]).to(torch.uint8)
            self._weight = torch._convert_weight_to_int4pack(halves, 8)

    def __call__(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu":
            y: Tensor = torch._weight_int4pack_mm_for_cpu(x, self._weight, GROUP, self._scales)
        else:
            y = torch._weight_int4pack_mm(x, self._weight, GROUP, self._scales)
        return y if self._bias is None else y + self._bias


def groupwise(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Asymmetric: least and largest weight of a group become 0 and 15.

    Returns:
        int32 (out, in) of 0 .. 15, and (in / GROUP, out, 2) with scale and zero, in the weight's dtype.
    """
    groups = weight.float().view(weight.shape[0], -1, GROUP)
    least, most = groups.amin(dim=-1), groups.amax(dim=-1)
    # rounded first, so that the codes fit the scale and zero that the product will use
    scale = ((most - least) / 15).clamp(min=1e-6).to(weight.dtype)
    zero = (least + scale.float() * 8).to(weight.dtype)
    steps = (groups - zero.float().unsqueeze(-1)) / scale.float().unsqueeze(-1) + 8
    quantised = steps.round().clamp(0, 15).to(torch.int32).flatten(1)
    return quantised, torch.stack([scale, zero], dim=-1).transpose(0, 1).contiguous()


def int8(weight: Tensor, bias: Tensor | None = None) -> Linear:
    return Int8(weight, bias)


def int4(weight: Tensor, bias: Tensor | None = None) -> Linear:
    """Dense where the width is no multiple of the group or the rows do not fill the kernel's blocks."""
    if weight.shape[1] % GROUP or weight.shape[0] % 64:
        return dense(weight, bias)
    return Int4(weight, bias)
