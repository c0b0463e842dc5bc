"""Words on their way from a socket to the engine: bounded, so that a quick writer waits."""

import asyncio
from collections import deque

from june_tts.types import Flush, Written


class Words:
    """One writer, one reader. An async iterator that ends after `end`."""

    def __init__(self, most_chars: int) -> None:
        self._most = most_chars
        self._held: deque[Written] = deque()
        self._chars = 0
        self._ended = False
        self._closed = False
        self._changed = asyncio.Event()

    async def put(self, written: Written) -> None:
        """Add, and wait while more is held than may be. Nothing happens where nobody will read it."""
        if self._ended or self._closed or not self._worth(written):
            return
        self._held.append(written)
        self._chars += _size(written)
        self._changed.set()
        while self._chars > self._most and not self._closed:
            await self._change()

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._changed.set()

    def close(self) -> None:
        """Nobody reads any more: who waits for room may go on."""
        self._closed = True
        self._held.clear()
        self._changed.set()

    def __aiter__(self) -> "Words":
        return self

    async def __anext__(self) -> Written:
        while not self._held:
            if self._ended or self._closed:
                raise StopAsyncIteration
            await self._change()
        written = self._held.popleft()
        self._chars -= _size(written)
        self._changed.set()
        return written

    def _worth(self, written: Written) -> bool:
        """A second flush in a row says nothing, and would be held for nothing."""
        if isinstance(written, Flush):
            return not self._held or not isinstance(self._held[-1], Flush)
        return bool(written)

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def _size(written: Written) -> int:
    return len(written) if isinstance(written, str) else 1
