"""The way into rooms."""

from collections.abc import AsyncGenerator, Callable
from typing import Protocol

from june_tts.types import (
    AudioChunk,
    Line,
    RoomsState,
)


class RoomPublisher(Protocol):
    """Speaks into LiveKit rooms, one connection each."""

    @property
    def state(self) -> RoomsState: ...

    async def play(
        self,
        room: str,
        line: Line,
        chunks: AsyncGenerator[AudioChunk, None],
        heard: Callable[[float], None],
    ) -> None:
        """Speak in a room, joined first where need be; return when the last sample has been played.

        One utterance at a time for a room. `heard` is told the seconds that have left, again and again
        while it speaks and once more at the end. Cancelling it is silence within a frame; `chunks` are
        closed either way.

        Raises:
            RoomUnavailable: the room cannot be joined, or was lost.
            Overloaded: every room there may be is in use.
            JuneError: what `chunks` raise.
        """
        ...

    async def close(self) -> None:
        """Leave every room."""
        ...
