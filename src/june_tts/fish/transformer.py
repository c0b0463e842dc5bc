"""The dual-autoregressive transformer: one slow step a frame, then a fast tower over the codebooks.

Rows are positions of any sequences, batched without padding: linear layers see all rows of a step at once,
attention is told which rows belong together. Formulas: "Fish-Speech" (arXiv 2411.01156) and the behaviour of
fish-speech 0.1.0, which the float32 path reproduces (tests/integration/fish/test_model_reference.py).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from june_tts.fish.config import ModelConfig, TowerShape
from june_tts.fish.linear import Linear

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""(layer, q (rows, heads, head_dim), k and v (rows, kv_heads, head_dim)) to (rows, heads, head_dim)."""


@dataclass(frozen=True, slots=True)
class Between:
    """What a layer does between its products. Each can be one kernel: see `compiled.py`."""

    norm: Callable[[Tensor, Tensor, float], Tensor]
    """x, weight, eps: `rms_norm`."""
    turn: Callable[[Tensor, Tensor], Tensor]
    """x, angles: `rotated`."""
    gate: Callable[[Tensor], Tensor]
    """Gate and up side by side: `gated`."""


@dataclass(frozen=True, slots=True)
class Layer:
    attention_norm: Tensor
    wqkv: Linear
    qk_norm: Tensor | None
    """(heads + kv_heads, head_dim): the queries' weights for every head, then the keys'."""
    wo: Linear
    ffn_norm: Tensor
    w13: Linear
    """Gate rows, then up rows."""
    w2: Linear


@dataclass(frozen=True, slots=True)
class Tower:
    shape: TowerShape
    layers: tuple[Layer, ...]
    norm: Tensor
    eps: float
    rope: Tensor
    """(positions, head_dim / 2) complex64: cos + i sin."""
    between: Between

    def run(self, x: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """All layers; (rows, dim) to (rows, dim), before the final norm."""
        angles = self.rope[positions].unsqueeze(1)
        for number, layer in enumerate(self.layers):
            q, k, v = self._qkv(layer, self.between.norm(x, layer.attention_norm, self.eps), angles)
            x = x + layer.wo(attend(number, q, k, v).flatten(1))
            x = x + layer.w2(self.between.gate(layer.w13(self.between.norm(x, layer.ffn_norm, self.eps))))
        return x

    def final(self, x: Tensor) -> Tensor:
        return self.between.norm(x, self.norm, self.eps)

    def _qkv(self, layer: Layer, x: Tensor, angles: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        shape = self.shape
        heads = layer.wqkv(x).view(x.shape[0], -1, shape.head_dim)
        turned = heads[:, : shape.heads + shape.kv_heads]
        if layer.qk_norm is not None:
            turned = self.between.norm(turned, layer.qk_norm, self.eps)
        turned = self.between.turn(turned, angles)
        return turned[:, : shape.heads], turned[:, shape.heads :], heads[:, shape.heads + shape.kv_heads :]


@dataclass(frozen=True, slots=True)
class Model:
    """Weights of both towers with their tables."""

    config: ModelConfig
    slow: Tower
    fast: Tower
    embeddings: Tensor
    codebook_embeddings: Tensor
    head: Linear
    project_in: Linear
    """From the slow tower's width to the fast one's."""
    fast_embeddings: Tensor
    fast_head: Linear
    invariant: bool
    """A row's result does not depend on the other rows of a product."""

    def embed(self, columns: Tensor, semantic_begin: int, semantic_end: int) -> Tensor:
        """(codebooks + 1, rows) to (rows, dim). A semantic token is the sum of its text row and of its codes'
        rows; both towers' scale is kept by dividing with sqrt(codebooks + 1)."""
        tokens, codes = columns[0], columns[1:]
        offsets = torch.arange(codes.shape[0], device=codes.device).unsqueeze(1) * self.config.codebook_size
        spoken = F.embedding(codes + offsets, self.codebook_embeddings).sum(dim=0)
        text = F.embedding(tokens, self.embeddings)
        semantic = ((tokens >= semantic_begin) & (tokens <= semantic_end)).unsqueeze(1)
        both = text + spoken
        if self.config.scale_embeddings:
            both = both / (self.config.codebooks + 1) ** 0.5
        return torch.where(semantic, both, text)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x / rms(x) * weight over the last dimension (Zhang and Sennrich 2019).

    On a CPU torch makes it of six operations, but has one for a layer norm; x beside -x has the mean 0 and
    the mean square of x.
    """
    if x.device.type != "cpu":
        return F.rms_norm(x, x.shape[-1:], None, eps) * weight
    width = x.shape[-1]
    return F.layer_norm(torch.cat((x, -x), dim=-1), (2 * width,), None, None, eps)[..., :width] * weight


def gated(both: Tensor) -> Tensor:
    """SwiGLU (Shazeer 2020): silu(gate) * up, of (rows, 2 * hidden)."""
    gate, up = both.chunk(2, dim=-1)
    return F.silu(gate) * up


def rope_table(positions: int, head_dim: int, base: float, device: torch.device) -> Tensor:
    """Angles position * base^(-2j / head_dim) as cos + i sin (Su et al. 2021), of neighbouring elements.

    Rounded to bfloat16, as in training: exact tables change the logits.
    """
    steps = torch.arange(0, head_dim, 2)[: head_dim // 2].float() / head_dim
    angles = torch.outer(torch.arange(positions).float(), 1.0 / base**steps)
    pairs = torch.stack([angles.cos(), angles.sin()], dim=-1).to(torch.bfloat16).float()
    return torch.view_as_complex(pairs).to(device)


def rotated(x: Tensor, angles: Tensor) -> Tensor:
    """Neighbouring pairs of the last dimension, turned in float32. x (rows, heads, head_dim)."""
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * angles).flatten(-2).to(x.dtype)


EAGER = Between(rms_norm, rotated, gated)
"""Operation by operation, as torch has them."""
