"""Tasks that nobody waits for now, and that somebody ends."""

import asyncio
import time
from collections.abc import Coroutine
from contextvars import Context
from typing import Any


class Background:
    """Owns them until they are over, `close` at the latest."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def add(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        # in no request's context: what it logs may be about others
        task = asyncio.get_running_loop().create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    async def close(self, seconds: float) -> None:
        """Wait so long for them, then cancel what is left."""
        end = time.monotonic() + seconds
        while self._tasks and (left := end - time.monotonic()) > 0:
            # again and again: what is over may have left something behind to be done
            await asyncio.wait(set(self._tasks), timeout=left)
        late = set(self._tasks)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        # whoever waits for the task gets its error; looked at here, it is nobody's that was forgotten
        if not task.cancelled():
            task.exception()
