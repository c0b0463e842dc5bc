"""One request on its way through the loop."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from june_tts.fish.events import Request, Timings
from june_tts.fish.pacing import DRY_SECONDS, Pace
from june_tts.fish.sequence import Chunk, CodecStream, Codes, Columns, Stop

PATIENCE_SECONDS = 2.0
"""How long a request that nobody listens to may stand back behind listeners who have sound enough."""


@dataclass(eq=False, slots=True)
class Stream:
    """Its place, its progress, and the frames that have not left yet. Times are those of the loop's clock."""

    request: Request
    pace: Pace
    came_at: float
    key: bytes | None = None
    """Of its prefix, where that is to be kept."""
    slot: int | None = None
    filled: int = 0
    """Prompt positions whose KV is in the slot."""
    codec: CodecStream | None = None
    parked: bool = False
    stop: Stop | None = None

    made: int = 0
    """Columns that the model made."""
    sent: int = 0
    illegal: int = 0
    illegal_in_row: int = 0
    last_token: int = -1
    same_in_row: int = 0
    pending: list[NDArray[np.int32]] = field(default_factory=list)
    """Frames of audio that have not left, each of shape (codebooks,)."""
    columns: list[tuple[int, NDArray[np.int32]]] = field(default_factory=list)

    admitted_at: float | None = None
    stepped_at: float = 0.0
    first_frame_at: float | None = None
    last_frame_at: float | None = None
    first_audio_at: float | None = None

    @property
    def id(self) -> str:
        return self.request.id

    @property
    def length(self) -> int:
        """Positions of the prompt."""
        return int(self.request.columns.shape[1])

    @property
    def prefilling(self) -> bool:
        return self.filled < self.length

    def deadline(self, now: float) -> float:
        """When the next frame is wanted. A stream that starts stands between listeners about to run dry and
        listeners who are ahead; it never delays the former."""
        if not self.request.realtime:
            return self.stepped_at + PATIENCE_SECONDS
        dry_at = self.pace.runs_dry_at(len(self.pending))
        return now + DRY_SECONDS if dry_at is None else dry_at

    def stretch(self, chunk: int) -> tuple[int, int]:
        """The next positions to compute, first and end. The grid is the request's own: the prefix from 0, the
        rest from the prefix's end. Where the cuts fall changes the last bits of the KV, so they may depend
        neither on what is kept nor on who else is there."""
        border = self.request.prefix if self.filled < self.request.prefix else self.length
        return self.filled, min(self.filled + chunk, border)

    def chunk(self, slot: int, start: int, end: int) -> Chunk:
        return Chunk(slot, self.request.columns[:, start:end], start, last=end == self.length)

    def take_pending(self, most: int) -> Codes:
        """The oldest pending frames, `most` at most. Shape (codebooks, frames)."""
        taken, self.pending = self.pending[:most], self.pending[most:]
        return np.ascontiguousarray(np.stack(taken, axis=1))

    def all_columns(self) -> Columns | None:
        if not self.request.keep_columns:
            return None
        if not self.columns:
            return np.zeros((self.request.columns.shape[0], 0), np.int32)
        tokens = np.array([token for token, _ in self.columns], np.int32)
        return np.vstack([tokens, np.stack([codes for _, codes in self.columns], axis=1)])

    def timings(self, now: float) -> Timings:
        return Timings(
            admitted=self._since(self.admitted_at),
            first_frame=self._since(self.first_frame_at),
            first_audio=self._since(self.first_audio_at),
            ended=now - self.came_at,
            last_frame=self._since(self.last_frame_at),
            came=self.came_at,
        )

    def _since(self, moment: float | None) -> float | None:
        return None if moment is None else moment - self.came_at
