"""Waiting for what another task or process does."""

import asyncio
from collections.abc import Callable
from typing import Any

WAIT_SECONDS = 10.0


async def becomes(true: Callable[[], Any], seconds: float = WAIT_SECONDS) -> None:
    """Wait until a condition holds; fails where it does not in time."""
    async with asyncio.timeout(seconds):
        while True:
            if true():
                return
            await asyncio.sleep(0.01)
