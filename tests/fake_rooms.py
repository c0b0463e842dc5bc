"""Rooms without LiveKit: what is played in them is written down."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from june_tts.errors import JuneError
from june_tts.types import AudioChunk, Line, RoomsState


@dataclass
class Played:
    room: str
    line: Line
    seconds: float = 0.0
    cut: bool = False


class FakeRooms:
    """A second of speech takes `second` to play. `error` is raised in place of joining."""

    def __init__(self, second: float = 0.0, error: Exception | None = None) -> None:
        self.second = second
        self.error = error
        self.played: list[Played] = []
        self.sounding = asyncio.Event()
        """Set when something has been heard; a test may clear it."""
        self.closed = False

    @property
    def state(self) -> RoomsState:
        away = isinstance(self.error, JuneError)
        return RoomsState(len({one.room for one in self.played}), None, reachable=not away)

    async def play(
        self,
        room: str,
        line: Line,
        chunks: AsyncGenerator[AudioChunk, None],
        heard: Callable[[float], None],
    ) -> None:
        playing = Played(room, line)
        async with aclosing(chunks):
            if self.error:
                raise self.error
            self.played.append(playing)
            try:
                async for chunk in chunks:
                    seconds = chunk.samples.size / chunk.sample_rate
                    await asyncio.sleep(seconds * self.second)
                    playing.seconds += seconds
                    heard(playing.seconds)
                    self.sounding.set()
            except asyncio.CancelledError:
                playing.cut = True
                raise

    async def close(self) -> None:
        self.closed = True
