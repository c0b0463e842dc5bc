"""Reads a source of text a little ahead, while what came before is being spoken. No torch."""

import asyncio
from collections import deque
from collections.abc import AsyncIterable

AHEAD = 8
"""Pieces that are read before they are asked for: sentences of one turn. The source may be endless."""


class Ahead:
    """`close` it in any case. The source itself is closed by whoever made it."""

    def __init__(self, pieces: AsyncIterable[str]) -> None:
        self._pieces = pieces
        self._held: deque[str] = deque()
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._fill())
        self._task.add_done_callback(lambda _: self._changed.set())

    @property
    def ended(self) -> bool:
        """Nothing is left, now and later."""
        return self._task.done() and not self._held

    async def some(self) -> list[str]:
        """As `here`, waiting while there is nothing; empty once the source has ended.

        Raises: what the source raises, after everything before it was taken.
        """
        while not self._held and not self._task.done():
            self._changed.clear()
            await self._changed.wait()
        if not self._held:
            self._task.result()
        return self.here()

    def here(self) -> list[str]:
        """All that is there."""
        taken = list(self._held)
        self._held.clear()
        self._changed.set()
        return taken

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _fill(self) -> None:
        async for piece in self._pieces:
            self._held.append(piece)
            self._changed.set()
            while len(self._held) >= AHEAD:
                self._changed.clear()
                await self._changed.wait()
