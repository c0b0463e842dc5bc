"""What a layer does between its products, each as one kernel that torch.compile writes.

A step on a GPU is some 2,000 small kernels beside its 300 products; each reads and writes what the one before
has just written. Only these pieces are compiled: a few seconds at the first step, once for every batch size,
where the whole step takes minutes.
"""

import torch
from torch import Tensor

from june_tts.fish.transformer import Between, gated


def _normed(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / rms(x) * weight, in float32 within, as `transformer.rms_norm`."""
    wide = x.float()
    rms = torch.rsqrt(wide.square().mean(dim=-1, keepdim=True) + eps)
    return (wide * rms).to(x.dtype) * weight


def _turned(x: Tensor, angles: Tensor) -> Tensor:
    """`transformer.rotated` without complex numbers, for which no kernels are written.

    Args:
        angles: (…, head_dim / 2, 2), cos and sin.
    """
    cos, sin = angles.unbind(-1)
    real, imaginary = x.float().reshape(*x.shape[:-1], -1, 2).unbind(-1)
    pairs = torch.stack([real * cos - imaginary * sin, real * sin + imaginary * cos], dim=-1)
    return pairs.flatten(-2).to(x.dtype)


def compiled() -> Between:
    """Kernels are written at the first use of each shape family, and kept on disk by torch."""

    turned = torch.compile(_turned, dynamic=True)
    return Between(
        norm=torch.compile(_normed, dynamic=True),
        turn=lambda x, angles: turned(x, torch.view_as_real(angles)),
        gate=torch.compile(gated, dynamic=True),
    )
