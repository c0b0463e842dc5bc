"""Work that goes on beside the server for as long as its parts are there."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any


def beside(stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
    """Ended, and waited for, when the stack is left: before what was opened earlier is closed."""
    task = asyncio.create_task(work)

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)
