"""Audio ahead of its listener: so much and no more, errors at once, nothing left behind."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np
import pytest

from june_tts.engine.lead import lead
from june_tts.errors import EngineFailed
from june_tts.types import Samples

pytestmark = pytest.mark.unit

CHUNK = 10


class Source:
    """Chunks numbered from 0; fails at `fail_at`."""

    def __init__(self, chunks: int = 20, *, fail_at: int | None = None) -> None:
        self._chunks = chunks
        self._fail_at = fail_at
        self.made = 0
        self.closed = False

    async def stream(self) -> AsyncGenerator[Samples, None]:
        try:
            for number in range(self._chunks):
                if number == self._fail_at:
                    raise EngineFailed("the source was told to fail")
                self.made += 1
                await asyncio.sleep(0)
                yield np.full(CHUNK, number, np.float32)
        finally:
            self.closed = True


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


async def test_everything_comes_in_order() -> None:
    source = Source()
    heard = [chunk[0] async for chunk in lead(source.stream(), 45)]
    assert heard == list(range(20))
    assert source.closed


async def test_it_runs_ahead_by_the_limit_and_waits() -> None:
    source = Source()
    async with aclosing(lead(source.stream(), 45)) as chunks:
        await anext(chunks)
        await settle()
        assert source.made == 1 + 5
        await anext(chunks)
        await settle()
        assert source.made == 2 + 5


async def test_an_error_comes_at_once_and_not_after_what_was_made() -> None:
    source = Source(fail_at=4)
    async with aclosing(lead(source.stream(), 1000)) as chunks:
        await anext(chunks)
        await settle()
        with pytest.raises(EngineFailed, match="told to fail"):
            await anext(chunks)


async def test_closing_closes_the_source() -> None:
    source = Source()
    async with aclosing(lead(source.stream(), 20)) as chunks:
        await anext(chunks)
    assert source.closed
    assert source.made < 20
