"""Audio made ahead of its listener, by so much and no more."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from june_tts.types import Samples


async def lead(source: AsyncGenerator[Samples, None], most: int) -> AsyncGenerator[Samples, None]:
    """Run a source in a task of its own, `most` samples ahead of the reader and one chunk more.

    What the source raises is raised at once, also before what it made until then. Closing this closes it.
    """
    made = _Made(most)
    task = asyncio.create_task(made.fill(source))
    try:
        while (samples := await made.take()) is not None:
            yield samples
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await source.aclose()


class _Made:
    def __init__(self, most: int) -> None:
        self._most = most
        self._held: deque[Samples] = deque()
        self._samples = 0
        self._changed = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None

    async def fill(self, source: AsyncGenerator[Samples, None]) -> None:
        try:
            async for samples in source:
                self._held.append(samples)
                self._samples += samples.size
                self._changed.set()
                while self._samples >= self._most:
                    await self._change()
        except Exception as error:  # noqa: BLE001  the reader is told, whatever it is
            self._error = error
        self._ended = True
        self._changed.set()

    async def take(self) -> Samples | None:
        while True:
            if self._error is not None:
                raise self._error
            if self._held:
                samples = self._held.popleft()
                self._samples -= samples.size
                self._changed.set()
                return samples
            if self._ended:
                return None
            await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
