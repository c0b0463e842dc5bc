"""What a stream carries from chunk to chunk, and how several streams go through the network as one batch.

Every layer of the codec looks back only: a convolution at a few rows before its own, attention at the keys of
a window. A layer that looks back has a `Slot` in one flat vector per stream; its zeros are the zero padding
that the reference puts before the first sample, so a chunk needs to know nothing of the ones before it but
this vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a layer's last rows are in the vector."""

    offset: int
    rows: int
    width: int
    rate: int
    """Rows that a frame adds."""


class Layout:
    """Hands out slots while a network is built."""

    def __init__(self) -> None:
        self.size = 0
        """Elements of the vector."""

    def add(self, rows: int, width: int, rate: int) -> Slot:
        slot = Slot(self.size, rows, width, rate)
        self.size += rows * width
        return slot


@dataclass(slots=True)
class Stream:
    """One stream's state. The vector is never written to, only replaced: a copy of this value is a
    snapshot."""

    history: Tensor
    """Shape (size of the layout,)."""
    frames: int = 0
    """Decoded so far."""


class Carry:
    """One pass of a batch: reads each stream's vector and writes the next one.

    In a batch of unequal lengths the shorter rows are padded at their end. Since nothing looks ahead, padding
    changes no real row; only what is kept has to end where the row's own frames end.
    """

    def __init__(self, history: Tensor, starts: Sequence[int], frames: Sequence[int]) -> None:
        """`history` (batch, size); `starts` and `frames` of each stream, in frames."""
        self._old = history
        self.next = torch.empty_like(history)
        self.longest = max(frames)
        self._ends = None
        if min(frames) != self.longest:
            self._ends = torch.tensor(frames, device=history.device)
        self.starts = torch.tensor(starts, device=history.device)

    def open(self, slot: Slot, rows: int) -> Tensor:
        """Shape (batch, slot.rows + rows, slot.width): the last rows of before, then room for new ones."""
        batch = self._old.shape[0]
        window = self._old.new_empty(batch, slot.rows + rows, slot.width)
        window[:, : slot.rows] = self._of(self._old, slot)
        return window

    def keep(self, slot: Slot, window: Tensor) -> None:
        """Remember the last rows of a filled window."""
        kept = self._of(self.next, slot)
        if self._ends is None:
            kept.copy_(window[:, window.shape[1] - slot.rows :])
            return
        rows = (self._ends * slot.rate)[:, None] + torch.arange(slot.rows, device=window.device)
        kept.copy_(window.gather(1, rows[:, :, None].expand(-1, -1, slot.width)))

    def _of(self, vectors: Tensor, slot: Slot) -> Tensor:
        flat = vectors[:, slot.offset : slot.offset + slot.rows * slot.width]
        return torch.unflatten(flat, 1, (slot.rows, slot.width))


def together(frames: Sequence[int], overhead: int) -> list[list[int]]:
    """Which streams go through the network as one batch: groups of indices.

    A batch is as long as its longest stream, so padding is work; a batch of its own costs `overhead` frames,
    since it reads every weight again. The groups of least total work are runs of the streams ordered by
    length.
    """
    order = sorted(range(len(frames)), key=lambda index: frames[index])
    best: list[tuple[int, int]] = [
        (0, 0)
    ]  # least work for the first n streams, and where their last group begins
    for end in range(1, len(order) + 1):
        longest = frames[order[end - 1]]
        best.append(min((best[begin][0] + overhead + (end - begin) * longest, begin) for begin in range(end)))
    groups: list[list[int]] = []
    end = len(order)
    while end:
        begin = best[end][1]
        groups.append(order[begin:end])
        end = begin
    return groups
