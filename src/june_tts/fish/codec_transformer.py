"""The codec's transformer: causal attention over a window of positions, before and after the quantizer.

A query at position i sees the keys i - window + 1 .. i. Keys are kept already rotated, at absolute positions:
the tables are rounded to bfloat16 (fish-speech 0.1.0 behaviour), so that a shifted window would not be quite
the same.
"""

import threading

import torch
import torch.nn.functional as F
from torch import Tensor

from june_tts.fish.codec_layers import Linear
from june_tts.fish.codec_stream import Carry, Layout
from june_tts.fish.codec_weights import CodecFile

HEAD = 64
"""Channels of a head."""
BASE = 10_000.0
EPSILON = 1e-5


class Rotations:
    """cos and sin of every position, as complex numbers of bfloat16 precision. Grows with the longest
    stream."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._table = torch.empty(0, HEAD // 2, dtype=torch.complex64, device=device)
        self._growing = threading.Lock()

    def upto(self, positions: int) -> Tensor:
        """Shape (at least `positions`, HEAD / 2)."""
        with self._growing:
            if positions > len(self._table):
                self._table = _rotations(max(positions, 2 * len(self._table), 4096)).to(self._device)
            return self._table


def _rotations(positions: int) -> Tensor:
    # step by step as the reference does it: a last bit off here could round to another bfloat16
    frequencies = 1.0 / (BASE ** (torch.arange(0, HEAD, 2).float() / HEAD))
    angles = torch.outer(torch.arange(positions), frequencies)
    turned = torch.view_as_real(torch.polar(torch.ones_like(angles), angles))
    return torch.view_as_complex(turned.to(torch.bfloat16).float())


class WindowTransformer:
    """Layers over (batch, positions, channels), `rate` positions a frame."""

    def __init__(
        self, file: CodecFile, name: str, layout: Layout, *, window: int, rate: int, like: Tensor
    ) -> None:
        width = file.width(f"{name}.norm.weight")
        self._window, self._rate = window, rate
        self._layers = [
            Layer(file, f"{name}.layers.{index}", layout, width=width, past=window - 1, rate=rate, like=like)
            for index in range(file.count(f"{name}.layers"))
        ]
        self._norm = file.tensor(f"{name}.norm.weight", width).to(like)
        self._rotations = Rotations(like.device)

    def __call__(self, carry: Carry, x: Tensor, first: int) -> Tensor:
        """`first`: the largest of the streams' starts, in frames, known to the host."""
        rows = x.shape[1]
        starts = carry.starts * self._rate
        positions = starts[:, None] + torch.arange(rows, device=x.device)
        turns = self._rotations.upto(first * self._rate + rows)[positions][:, :, None]
        mask = _visible(starts, rows, self._window)
        for layer in self._layers:
            x = layer(carry, x, turns, mask)
        return F.rms_norm(x, (x.shape[2],), eps=EPSILON) * self._norm


class Layer:
    """h = x + Attention(RMSNorm(x)); y = h + SwiGLU(RMSNorm(h)). The norms' weights and the layer scales are
    folded into the products after and before them."""

    def __init__(
        self, file: CodecFile, name: str, layout: Layout, *, width: int, past: int, rate: int, like: Tensor
    ) -> None:
        self._width = width
        self._slot = layout.add(past, 2 * width, rate)
        hidden = 3 * width
        norm = file.tensor(f"{name}.attention_norm.weight", width)
        scale = file.tensor(f"{name}.attention_layer_scale.gamma", width)
        self._qkv = Linear((file.tensor(f"{name}.attention.wqkv.weight", 3 * width, width) * norm).to(like))
        self._out = Linear(
            (file.tensor(f"{name}.attention.wo.weight", width, width) * scale[:, None]).to(like)
        )
        norm = file.tensor(f"{name}.ffn_norm.weight", width)
        scale = file.tensor(f"{name}.ffn_layer_scale.gamma", width)
        gates = [file.tensor(f"{name}.feed_forward.{part}.weight", hidden, width) for part in ("w1", "w3")]
        self._up = Linear((torch.cat(gates) * norm).to(like))
        self._down = Linear(
            (file.tensor(f"{name}.feed_forward.w2.weight", width, hidden) * scale[:, None]).to(like)
        )

    def __call__(self, carry: Carry, x: Tensor, turns: Tensor, mask: Tensor) -> Tensor:
        """`turns` (batch, rows, 1, HEAD / 2) and `mask` (batch, 1, rows, past + rows)."""
        x = self._out(self._attend(carry, F.rms_norm(x, (self._width,), eps=EPSILON), turns, mask), add=x)
        gate, up = self._up(F.rms_norm(x, (self._width,), eps=EPSILON)).chunk(2, dim=-1)
        return self._down(F.silu(gate) * up, add=x)

    def _attend(self, carry: Carry, x: Tensor, turns: Tensor, mask: Tensor) -> Tensor:
        batch, rows, width = x.shape
        qkv = self._qkv(x)
        turned = _rotate(torch.unflatten(qkv[..., : 2 * width], 2, (-1, HEAD)), turns)
        query, key = turned.flatten(2).chunk(2, dim=-1)
        window = carry.open(self._slot, rows)
        new = window[:, self._slot.rows :]
        new[..., :width] = key
        new[..., width:] = qkv[..., 2 * width :]
        carry.keep(self._slot, window)
        q, k, v = (
            torch.unflatten(part, 2, (-1, HEAD)).transpose(1, 2) for part in (query, *window.chunk(2, dim=-1))
        )
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)


def _rotate(x: Tensor, turns: Tensor) -> Tensor:
    """(batch, rows, heads, HEAD), neighbouring channels paired."""
    pairs = torch.view_as_complex(torch.unflatten(x.float(), -1, (-1, 2)))
    return torch.view_as_real(pairs * turns).flatten(-2).to(x.dtype)


def _visible(starts: Tensor, rows: int, window: int) -> Tensor:
    """Which of the past keys and the new ones each new query sees: shape (batch, 1, rows, window - 1 + rows).

    Key j stands at position start + j - (window - 1), and there is none before position 0.
    """
    query = torch.arange(rows, device=starts.device)[:, None]
    key = torch.arange(window - 1 + rows, device=starts.device)
    seen = (key >= query) & (key < query + window)
    there = key >= window - 1 - starts[:, None]
    return (seen & there[:, None])[:, None]
