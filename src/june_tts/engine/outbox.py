"""One piece's audio on its way from a lane thread to the event loop."""

import asyncio
from collections import deque

from june_tts.errors import EngineFailed, JuneError
from june_tts.types import Samples


class Outbox:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._chunks: deque[Samples] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._error: BaseException | None = None
        self.made = asyncio.Event()
        """Set when all of the piece's audio is here, whoever has taken it."""

    def emit(self, samples: Samples) -> None:
        """More audio. Called on a lane thread."""
        self._loop.call_soon_threadsafe(self._add, samples)

    def end(self, error: BaseException | None) -> None:
        """No more audio, and why where something failed. Called on a lane thread."""
        self._loop.call_soon_threadsafe(self._finish, error)

    async def next(self) -> Samples | None:
        """The next chunk, or None after the last.

        Raises:
            EngineFailed: a step failed.
        """
        while not self._chunks:
            if self._error is not None:
                raise _as_june_error(self._error)
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._chunks.popleft()

    def _add(self, samples: Samples) -> None:
        self._chunks.append(samples)
        self._changed.set()

    def _finish(self, error: BaseException | None) -> None:
        self._ended, self._error = True, error
        self.made.set()
        self._changed.set()


def _as_june_error(error: BaseException) -> JuneError:
    if isinstance(error, JuneError):
        return error
    failed = EngineFailed(f"the engine stopped: {type(error).__name__}")
    failed.__cause__ = error
    return failed
