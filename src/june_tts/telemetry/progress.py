"""Which streams wait for their engine, and since when: what the watchdog looks at.

A stream waits from the moment its reader wants more until there is more. A reader who pauses waits for
nothing, and neither does a stream whose words are still being written.
"""

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import TypeVar

T = TypeVar("T")


class Progress:
    """Of all engines. For the event loop alone."""

    def __init__(self) -> None:
        self._waits: dict[Waiting, float] = {}
        self._made: dict[str, float] = {}
        """When an engine made audio last, by its name."""

    def stream(self, engine: str) -> "Waiting":
        """A stream has begun; it waits for its first audio."""
        return Waiting(engine, self._waits, self._made)

    def idle_since(self, engine: str) -> float | None:
        """Since when streams wait for an engine that makes nothing for anybody; None where none does.

        Returns: `time.monotonic()` seconds.
        """
        since = min((at for stream, at in self._waits.items() if stream.engine == engine), default=None)
        return None if since is None else max(since, self._made.get(engine, since))


class Waiting:
    """One stream. `over` exactly once."""

    def __init__(self, engine: str, waits: "dict[Waiting, float]", made: dict[str, float]) -> None:
        self.engine = engine
        self._waits = waits
        self._made = made
        self._hungry = False
        self._writing = False
        self.asked()

    def asked(self) -> None:
        """The reader wants more."""
        self._hungry = True
        self._look()

    def made(self) -> None:
        """There is more."""
        self._hungry = False
        self._waits.pop(self, None)
        self._made[self.engine] = time.monotonic()

    def over(self) -> None:
        self._hungry = False
        self._waits.pop(self, None)

    def read(self, pieces: AsyncIterable[T]) -> AsyncIterator[T]:
        """Pass pieces on, and know when the engine waits for the next."""
        return _Read(aiter(pieces), self._written)

    def _written(self, there: bool) -> None:
        self._writing = not there
        self._look()

    def _look(self) -> None:
        if self._hungry and not self._writing:
            self._waits.setdefault(self, time.monotonic())
        else:
            self._waits.pop(self, None)


class _Read(AsyncIterator[T]):
    """No generator: the engine that reads it need not close it."""

    def __init__(self, pieces: AsyncIterator[T], written: Callable[[bool], None]) -> None:
        self._pieces = pieces
        self._written = written

    async def __anext__(self) -> T:
        self._written(False)
        try:
            return await anext(self._pieces)
        finally:
            self._written(True)
