"""One frame: a slow token from the slow tower's last rows, then the codebooks from the fast tower."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from june_tts.fish.sampler import draw, noise_keys, penalised
from june_tts.fish.sampling_rules import WINDOW, Rules
from june_tts.fish.sequence import SamplingParams
from june_tts.fish.transformer import Model


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """Vocabulary ids: the semantic ones from begin to end, and the end of speech."""

    semantic_begin: int
    semantic_end: int
    im_end: int


class FrameMaker:
    """Keeps, for every slot, its sampling rules and its last frames; nothing here waits for the device."""

    def __init__(self, model: Model, tokens: SpecialTokens, slots: int) -> None:
        self._model, self._tokens = model, tokens
        config = model.config
        self._device = model.embeddings.device
        self._rules = Rules.empty(slots, self._device)
        self._columns = config.codebooks + 1

        def integers(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int64, device=self._device)

        self._frame = integers(slots)
        """Frames made, of each slot."""
        self._least = integers(slots)
        self._intended = integers(slots).bool()
        self._semantic = integers(slots).bool()
        self._semantic_slots: set[int] = set()
        self._static = self._device.type != "cpu"
        """The same kernels at every frame, whoever is in the batch: what a CUDA graph needs."""
        ids = torch.arange(config.vocab_size, device=self._device)
        self._text = (ids < tokens.semantic_begin) | (ids > tokens.semantic_end)
        self._text[tokens.im_end] = False
        self._window = integers(slots, self._columns, WINDOW)
        """The last frames but the first of all, which the reference leaves out; a ring."""
        self._last = integers(slots, self._columns)

    def open(self, slot: int, params: SamplingParams) -> None:
        self._rules.put(slot, params)
        self._frame[slot] = 0
        self._least[slot] = params.min_frames
        self._intended[slot] = params.repetition_rule == "intended"
        self._semantic[slot] = params.semantic_only
        (self._semantic_slots.add if params.semantic_only else self._semantic_slots.discard)(slot)
        self._window[slot] = 0

    def last(self, rows: Tensor) -> Tensor:
        """The newest column of each slot, (rows, codebooks + 1)."""
        return self._last[rows]

    def make(self, hidden: Tensor, rows: Tensor, active: Tensor | None = None) -> Tensor:
        """(rows, dim) of the slow tower to (rows, codebooks + 1).

        Args:
            rows: the slot of each row.
            active: the rows whose slots are to be changed; None for all. The others' columns mean nothing.
        """
        frame = self._frame[rows]
        rules = self._rules.of(rows)
        keys = noise_keys(rules.seed, frame, self._columns - 1)
        now = _Drawing(rows, rules, frame, self._window[rows], keys)
        token = self._slow_token(hidden, now)
        column = torch.cat([token.unsqueeze(1), self._codebooks(hidden, token, now)], dim=1)
        self._remember(rows, frame, column, active)
        return column

    def _slow_token(self, hidden: Tensor, now: "_Drawing") -> Tensor:
        logits = self._model.head(self._model.slow.final(hidden))
        logits = penalised(logits, self._seen(now), now.rules.penalty, now.frame > 0)
        return draw(self._allowed(logits, now), now.rules, now.keys[0])

    def _seen(self, now: "_Drawing") -> Tensor:
        """Ids that the slow head is penalised for, (rows, WINDOW).

        fish-speech 0.1.0 takes one column of its window where its authors meant one row: the slow token of
        the oldest frame, and that frame's codes read as vocabulary ids.
        """
        steps = now.frame - 1
        oldest = torch.where(steps >= WINDOW, steps % WINDOW, 0).clamp(min=0)
        column = now.window.gather(2, oldest.view(-1, 1, 1).expand(-1, self._columns, 1)).squeeze(2)
        # an id counts once, so the first may fill up what a column has less than a row
        filled = torch.cat([column, column[:, :1].expand(-1, WINDOW)], dim=1)[:, :WINDOW]
        return torch.where(self._intended[now.rows].unsqueeze(1), now.window[:, 0], filled)

    def _allowed(self, logits: Tensor, now: "_Drawing") -> Tensor:
        """Without what a request excludes: text where it wants speech alone, an end that is too early."""
        end = self._tokens.im_end
        early = now.frame < self._least[now.rows]
        logits[:, end] = logits[:, end].masked_fill(early, -torch.inf)
        if self._semantic_slots or self._static:
            logits = logits.masked_fill(self._semantic[now.rows].unsqueeze(1) & self._text, -torch.inf)
        return logits

    def _codebooks(self, hidden: Tensor, token: Tensor, now: "_Drawing") -> Tensor:
        """Codes of all codebooks, (rows, codebooks)."""
        model = self._model
        first = (token - self._tokens.semantic_begin).clamp(0, model.config.codebook_size - 1)
        cache = _FastCache(model, hidden.shape[0])
        start = torch.stack([model.project_in(hidden), F.embedding(first, model.fast_embeddings)], dim=1)
        codes, later = [first], now.frame > 0
        x = cache.run(start)
        for codebook in range(1, model.config.codebooks):
            logits = model.fast_head(model.fast.final(x))
            logits = penalised(logits, now.window[:, codebook + 1], now.rules.penalty, later)
            codes.append(draw(logits, now.rules, now.keys[codebook]))
            if codebook + 1 < model.config.codebooks:
                x = cache.run(F.embedding(codes[-1], model.fast_embeddings).unsqueeze(1))
        return torch.stack(codes, dim=1)

    def _remember(self, rows: Tensor, frame: Tensor, column: Tensor, active: Tensor | None) -> None:
        step = (frame - 1) % WINDOW
        changes = torch.ones_like(frame, dtype=torch.bool) if active is None else active
        later = (changes & (frame > 0)).unsqueeze(1)
        self._window[rows, :, step] = torch.where(later, column, self._window[rows, :, step])
        self._last[rows] = torch.where(changes.unsqueeze(1), column, self._last[rows])
        self._frame[rows] = frame + changes


@dataclass(frozen=True, slots=True)
class _Drawing:
    """The rows that a frame is drawn for, and what their slots hold."""

    rows: Tensor
    rules: Rules
    frame: Tensor
    """(rows,): how many were made before."""
    window: Tensor
    keys: Tensor
    """(codebooks, rows): where the noise begins."""


class _FastCache:
    """The fast tower's KV of one frame. Its positions are the slow tower's hidden state, then the codes."""

    def __init__(self, model: Model, rows: int) -> None:
        shape = model.config.fast
        size = (shape.layers, rows, shape.kv_heads, model.config.codebooks, shape.head_dim)
        like = model.fast_embeddings
        self._k = torch.empty(size, dtype=like.dtype, device=like.device)
        self._v = torch.empty_like(self._k)
        self._tower, self._rows, self._length = model.fast, rows, 0

    def run(self, x: Tensor) -> Tensor:
        """The next positions of all rows, (rows, positions, dim); the last position's output, (rows, dim)."""
        new, start = x.shape[1], self._length
        self._length += new
        places = torch.arange(start, start + new, device=x.device).repeat(self._rows)

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            heads, width = q.shape[1:]
            self._k[layer, :, :, start : start + new] = k.view(self._rows, new, -1, width).transpose(1, 2)
            self._v[layer, :, :, start : start + new] = v.view(self._rows, new, -1, width).transpose(1, 2)
            keys, values = self._k[layer, :, :, : start + new], self._v[layer, :, :, : start + new]
            shared = heads // keys.shape[1]
            # heads that share a key head are further rows of it; two new positions need a mask, one does not
            if new == 1:
                grouped = q.view(self._rows, -1, shared, width)
                return F.scaled_dot_product_attention(grouped, keys, values).reshape(q.shape)
            grouped = q.view(self._rows, new, -1, shared, width).permute(0, 2, 3, 1, 4).flatten(2, 3)
            heard = F.scaled_dot_product_attention(grouped, keys, values, attn_mask=self._mask(new, shared))
            return heard.view(self._rows, -1, shared, new, width).permute(0, 3, 1, 2, 4).reshape(q.shape)

        out = self._tower.run(x.flatten(0, 1), places, attend)
        return out.view(self._rows, new, -1)[:, -1]

    def _mask(self, new: int, shared: int) -> Tensor:
        seen = torch.ones(new, self._length, dtype=torch.bool, device=self._k.device)
        return seen.tril(self._length - new).repeat(shared, 1)
