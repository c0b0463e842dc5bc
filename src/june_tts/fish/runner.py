"""Runs the model for many sequences at once: their KV in slots, one frame a step for each.

A sequence attends over its own live length, or over that of the longest in the step, never over its slot.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from june_tts.errors import ModelUnavailable
from june_tts.fish.build import RESIDUAL_CODES
from june_tts.fish.frame import FrameMaker, SpecialTokens
from june_tts.fish.sequence import Chunk, Column, PrefixKV, SamplingParams
from june_tts.fish.together import Together
from june_tts.fish.transformer import Model

FEW_SEQUENCES = 3
"""Fewer are taken one after the other on a CPU."""
MOST_WASTED = 1.6
"""Positions that are attended over for each live one, before sequences are taken one after the other."""

WARM_PROMPT = 3
"""Positions; more than one, as a prompt has."""


@dataclass(frozen=True, slots=True)
class KeptPrefix:
    """K and V of a prompt's beginning, (layers, kv_heads, positions, head_dim) each."""

    k: Tensor
    v: Tensor

    @property
    def positions(self) -> int:
        return self.k.shape[2]

    @property
    def bytes(self) -> int:
        return self.k.nbytes + self.v.nbytes


class TorchRunner:
    """The `Runner` of `sequence.py`. Not thread safe."""

    def __init__(
        self,
        model: Model,
        tokens: SpecialTokens,
        *,
        slots: int,
        positions: int,
        always_together: bool | None = None,
    ) -> None:
        """
        Args:
            slots: sequences that can be under way at once.
            positions: of each slot; prompt and frames of a sequence share them.
            always_together: decode all slots at once, however their lengths differ; None for on a GPU alone.

        Raises:
            ModelUnavailable: the tokeniser belongs to another model.
        """
        config, shape = model.config, model.config.slow
        if (highest := max(tokens.semantic_end, tokens.im_end)) >= config.vocab_size:
            raise ModelUnavailable(
                f"the tokeniser's ids go up to {highest}, expected less than vocab_size {config.vocab_size}"
            )
        self.slots, self.positions = slots, min(positions, config.max_positions)
        self.codebooks = config.codebooks
        residual = min(RESIDUAL_CODES, config.codebook_size)
        self.codebook_sizes = (config.codebook_size, *(residual for _ in range(config.codebooks - 1)))
        self.semantic_begin, self.semantic_end = tokens.semantic_begin, tokens.semantic_end
        self.im_end = tokens.im_end
        self._model = model
        self._device, dtype = model.embeddings.device, model.embeddings.dtype
        size = (shape.layers, slots, shape.kv_heads, self.positions, shape.head_dim)
        self._k = torch.zeros(size, dtype=dtype, device=self._device)
        self._v = torch.zeros(size, dtype=dtype, device=self._device)
        self.kv_bytes = self._k.nbytes + self._v.nbytes
        self._frames = FrameMaker(model, tokens, slots)
        semantic = (tokens.semantic_begin, tokens.semantic_end)
        self._together = Together(model, self._frames, self._k, self._v, semantic)
        self._always_together = self._device.type == "cuda" if always_together is None else always_together
        self._lengths = [0] * slots

    @torch.inference_mode()
    def warm(self) -> None:
        """Do once what is slow the first time: write kernels, capture graphs. No slot may be in use."""
        self.open(0, SamplingParams())
        text = np.zeros((self.codebooks + 1, WARM_PROMPT), np.int32)
        self.step([Chunk(0, text, 0, last=True)], [])
        self.step([], [0])
        self._together.prepare()
        self._hold(0, 0)

    @torch.inference_mode()
    def open(self, slot: int, params: SamplingParams) -> None:
        self._hold(slot, 0)
        self._frames.open(slot, params)

    @torch.inference_mode()
    def load_prefix(self, slot: int, prefix: PrefixKV) -> None:
        if not isinstance(prefix, KeptPrefix):
            raise TypeError(f"prefix is a {type(prefix).__name__}, expected what save_prefix gave")
        self._k[:, slot, :, : prefix.positions] = prefix.k
        self._v[:, slot, :, : prefix.positions] = prefix.v
        self._hold(slot, prefix.positions)

    @torch.inference_mode()
    def save_prefix(self, slot: int, positions: int) -> KeptPrefix:
        return KeptPrefix(self._k[:, slot, :, :positions].clone(), self._v[:, slot, :, :positions].clone())

    @torch.inference_mode()
    def step(self, chunks: Sequence[Chunk], decodes: Sequence[int]) -> list[Column]:
        together = self._fits_together(decodes)
        beside = [] if together else decodes
        hidden = self.slow_hidden(chunks, beside)
        slots = [chunk.slot for chunk in chunks if chunk.last] + list(beside)
        columns = _columns(slots, self._frames.make(hidden, self._rows(slots)).cpu()) if slots else []
        if together:
            lengths = [self._lengths[slot] for slot in decodes]
            columns += _columns(decodes, self._together.step(decodes, lengths))
            for slot in decodes:
                self._lengths[slot] += 1
        return columns

    def _fits_together(self, decodes: Sequence[int]) -> bool:
        """Whether one attention over the longest is cheaper than one for each sequence over its own length.

        On a CPU a call costs as much as reading some hundred positions. The two add in other orders, so a
        model whose codes must not depend on company takes each sequence for itself.
        """
        if self._always_together or not decodes:
            return bool(decodes)
        if self._model.invariant or len(decodes) < FEW_SEQUENCES:
            return False
        return self._together.wasted(decodes, [self._lengths[slot] for slot in decodes]) < MOST_WASTED

    def _hold(self, slot: int, positions: int) -> None:
        self._lengths[slot] = positions
        self._together.keep_clear(slot, positions)

    def slow_hidden(self, chunks: Sequence[Chunk], decodes: Sequence[int]) -> Tensor:
        """The slow tower over all rows; the last row of each sequence that gets a frame, (sequences, dim)."""
        batch = _Batch(chunks, decodes, self._lengths)
        if not batch.rows:
            return self._model.embeddings[:0]
        columns = torch.empty(self.codebooks + 1, batch.rows, dtype=torch.int64, device=self._device)
        if batch.prompt:
            prompt = np.concatenate([chunk.columns for chunk in chunks], axis=1)
            columns[:, : batch.prompt] = torch.from_numpy(prompt).to(self._device)
        if decodes:
            columns[:, batch.prompt :] = self._frames.last(self._rows(decodes)).T
        x = self._model.embed(columns, self.semantic_begin, self.semantic_end)
        positions = torch.tensor(batch.positions, device=self._device)
        x = self._model.slow.run(x, positions, lambda *layer: self._attend(batch, *layer))
        for slot, length in batch.lengths:
            self._hold(slot, length)
        return x[torch.tensor(batch.last, device=self._device)] if batch.last else x[:0]

    def _rows(self, slots: Sequence[int]) -> Tensor:
        return torch.tensor(slots, device=self._device)

    def _attend(self, batch: "_Batch", layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        heard = torch.empty_like(q)
        for segment in batch.segments:
            rows = slice(segment.row, segment.row + segment.size)
            live = slice(segment.start, segment.start + segment.size)
            keys, values = self._k[layer, segment.slot], self._v[layer, segment.slot]
            keys[:, live] = k[rows].transpose(0, 1)
            values[:, live] = v[rows].transpose(0, 1)
            heard[rows] = attention(q[rows], keys[:, : live.stop], values[:, : live.stop])
        return heard


def _columns(slots: Sequence[int], made: Tensor) -> list[Column]:
    return [Column(slot, int(row[0]), row[1:]) for slot, row in zip(slots, made.numpy(), strict=True)]


@dataclass(frozen=True, slots=True)
class _Segment:
    """Rows of a step that are neighbouring positions of one slot."""

    slot: int
    row: int
    start: int
    size: int


class _Batch:
    """Which rows of a step belong where: the chunks' columns first, then one row per decode."""

    def __init__(self, chunks: Sequence[Chunk], decodes: Sequence[int], lengths: Sequence[int]) -> None:
        self.segments: list[_Segment] = []
        self.last: list[int] = []
        for chunk in chunks:
            self._add(chunk.slot, chunk.start, chunk.columns.shape[1], last=chunk.last)
        self.prompt = self.rows
        for slot in decodes:
            self._add(slot, lengths[slot], 1, last=True)

    def _add(self, slot: int, start: int, size: int, *, last: bool) -> None:
        self.segments.append(_Segment(slot, self.rows, start, size))
        if last:
            self.last.append(self.rows - 1)

    @property
    def rows(self) -> int:
        return self.segments[-1].row + self.segments[-1].size if self.segments else 0

    @property
    def positions(self) -> list[int]:
        return [segment.start + step for segment in self.segments for step in range(segment.size)]

    @property
    def lengths(self) -> list[tuple[int, int]]:
        return [(segment.slot, segment.start + segment.size) for segment in self.segments]


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention of the last rows of a sequence over all of it.

    Query heads that share a key head are taken as further rows of it, so that keys are not repeated.

    Args:
        q: (rows, heads, head_dim). k, v: (kv_heads, length, head_dim), the last `rows` positions are q's.
    """
    rows, heads, width = q.shape
    shared, length = heads // k.shape[0], k.shape[1]
    if rows == 1:
        alone = q.view(1, -1, shared, width)
        return F.scaled_dot_product_attention(alone, k.unsqueeze(0), v.unsqueeze(0)).view(q.shape)
    grouped = q.view(rows, k.shape[0], shared, width).permute(1, 2, 0, 3).reshape(1, k.shape[0], -1, width)
    seen = torch.ones(rows, length, dtype=torch.bool, device=q.device).tril(length - rows)
    mask = seen.repeat(shared, 1)
    heard = F.scaled_dot_product_attention(grouped, k.unsqueeze(0), v.unsqueeze(0), attn_mask=mask)
    return heard.view(k.shape[0], shared, rows, width).permute(2, 0, 1, 3).reshape(rows, heads, width)
