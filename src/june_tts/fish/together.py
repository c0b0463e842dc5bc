"""One decode step of many slots at once; on a GPU by fixed kernels, as a CUDA graph.

The rows are the slots 0 .. B-1, attended over the same length; on a GPU both are rounded up, so that a few
shapes serve every batch. Rows that take no part are computed too: each writes the KV of its newest column
where that belongs, or, while its prompt is being computed, beyond what is there, to be written over.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from june_tts.fish.frame import FrameMaker
from june_tts.fish.transformer import Model

LEAST_LENGTH = 256
"""Positions that are attended over at least; above it the next power of two."""
WARM_RUNS = 2
"""Before a capture: libraries choose their kernels and take their workspaces in the first runs."""


class Together:
    """Decodes any of the slots in one step. Owns what the step reads and writes besides the KV."""

    def __init__(
        self, model: Model, frames: FrameMaker, k: Tensor, v: Tensor, semantic: tuple[int, int]
    ) -> None:
        """
        Args:
            k, v: (layers, slots, kv_heads, positions, head_dim).
            semantic: the first and the last semantic id.
        """
        self._model, self._frames, self._k, self._v = model, frames, k, v
        self._semantic = semantic
        self._slots, self._positions = k.shape[1], k.shape[3]
        self._rows = torch.arange(self._slots, device=k.device)
        self._at = torch.zeros(self._slots, dtype=torch.int64, device=k.device)
        """Where each slot's next column goes."""
        self._active = torch.zeros(self._slots, dtype=torch.bool, device=k.device)
        self._columns = torch.zeros(
            self._slots, model.config.codebooks + 1, dtype=torch.int64, device=k.device
        )
        self._graphs: dict[tuple[int, int], torch.cuda.CUDAGraph] = {}
        self._pool = torch.cuda.graph_pool_handle() if k.device.type == "cuda" else None

    def step(self, slots: Sequence[int], lengths: Sequence[int]) -> Tensor:
        """One more column for each slot, (slots, codebooks + 1) on the CPU; `lengths` is what each holds."""
        rows, attended = max(slots) + 1, max(lengths) + 1
        self._fill(slots, lengths)
        if self._k.device.type == "cuda":
            rows = _power_of_two(rows, self._slots)
            self._replay(rows, _power_of_two(max(attended, LEAST_LENGTH), self._positions))
        else:
            self._run(rows, attended)
        return self._columns[:rows].cpu()[torch.tensor(slots)]

    def prepare(self) -> None:
        """Run every shape that a step can have on a GPU, so that none is captured while streams wait; on a
        CPU the smallest, which has the kernels of all."""
        if self._k.device.type != "cuda":
            self._run(1, 1)
            return
        for rows in _powers_of_two(1, self._slots):
            for attended in _powers_of_two(min(LEAST_LENGTH, self._positions), self._positions):
                if (rows, attended) not in self._graphs:
                    self._graphs[rows, attended] = self._captured(rows, attended)

    def _fill(self, slots: Sequence[int], lengths: Sequence[int]) -> None:
        """One copy to the device: positions of the slots that take part, -1 for the others."""
        places = torch.full((self._slots,), -1, dtype=torch.int64)
        places[torch.tensor(slots)] = torch.tensor(lengths)
        given = places.to(self._k.device, non_blocking=True)
        self._active.copy_(given >= 0)
        self._at.copy_(torch.where(given >= 0, given, self._at))

    @staticmethod
    def wasted(slots: Sequence[int], lengths: Sequence[int]) -> float:
        """Positions that are attended over for each that is live: 1.0 where no work is in vain."""
        return (max(slots) + 1) * (max(lengths) + 1) / (sum(lengths) + len(lengths))

    def keep_clear(self, slot: int, length: int) -> None:
        """Tell how many positions a slot holds that is not being decoded: it writes nowhere before them."""
        self._at[slot] = min(length, self._positions - 1)

    def _replay(self, rows: int, attended: int) -> None:
        graph = self._graphs.get((rows, attended))
        if graph is None:
            graph = self._graphs[rows, attended] = self._captured(rows, attended)
        graph.replay()

    def _captured(self, rows: int, attended: int) -> torch.cuda.CUDAGraph:
        """Warm runs and the capture take no part in any sequence: no row is active in them."""
        taking_part = self._active.clone()
        self._active.zero_()
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch has no types for it
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_RUNS):
                self._run(rows, attended)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            self._run(rows, attended)
        self._active.copy_(taking_part)
        return graph

    def _run(self, rows: int, attended: int) -> None:
        places, at, active = self._rows[:rows], self._at[:rows], self._active[:rows]
        x = self._model.embed(self._frames.last(places).T, *self._semantic)
        seen = torch.arange(attended, device=at.device) <= at.unsqueeze(1)
        mask = seen.view(rows, 1, 1, attended)

        # as rows of one table: a write at four indices takes ten times as long
        heads = torch.arange(self._k.shape[2], device=at.device)
        lines = ((places.unsqueeze(1) * len(heads) + heads) * self._positions + at.unsqueeze(1)).flatten()

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            self._k[layer].view(-1, q.shape[2]).index_copy_(0, lines, k.reshape(-1, q.shape[2]))
            self._v[layer].view(-1, q.shape[2]).index_copy_(0, lines, v.reshape(-1, q.shape[2]))
            keys, values = self._k[layer, :rows, :, :attended], self._v[layer, :rows, :, :attended]
            grouped = q.view(rows, keys.shape[1], -1, q.shape[2])
            heard = F.scaled_dot_product_attention(grouped, keys, values, attn_mask=mask)
            return heard.reshape(q.shape)

        hidden = self._model.slow.run(x, at, attend)
        self._columns[:rows] = self._frames.make(hidden, places, active)
        self._at[:rows] = (at + active).clamp(max=self._positions - 1)


def _powers_of_two(least: int, most: int) -> list[int]:
    """`least`, doubled until it is `most`, which is the last however far."""
    found = [least]
    while found[-1] < most:
        found.append(min(2 * found[-1], most))
    return found


def _power_of_two(least: int, most: int) -> int:
    """The next power of two, or `most` where that is less."""
    return min(1 << (least - 1).bit_length(), most)
