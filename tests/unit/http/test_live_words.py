"""Words on their way from a socket to the engine: in order, bounded, and never waited for in vain."""

import asyncio

import pytest

from june_tts.http.live_words import Words
from june_tts.types import Flush, Written

pytestmark = pytest.mark.unit

SOON = 0.05
"""Seconds; longer than anything here takes that does not wait for another."""


async def waits(task: asyncio.Task[None]) -> bool:
    await asyncio.wait({task}, timeout=SOON)
    return not task.done()


async def test_words_come_out_in_their_order_and_end() -> None:
    words = Words(100)
    for written in ("a", Flush(), "b"):
        await words.put(written)
    words.end()
    assert [written async for written in words] == ["a", Flush(), "b"]


async def test_a_reader_waits_for_the_next_word() -> None:
    words = Words(100)
    reading: asyncio.Task[Written | None] = asyncio.create_task(anext(words, None))
    await asyncio.sleep(0)
    await words.put("late")
    assert await asyncio.wait_for(reading, 1) == "late"


async def test_a_writer_waits_while_too_much_is_held() -> None:
    words = Words(10)
    await words.put("1234567890")
    writing = asyncio.create_task(words.put("x"))
    assert await waits(writing)
    assert await anext(words) == "1234567890"
    await asyncio.wait_for(writing, 1)


async def test_nobody_waits_for_a_reader_that_is_gone() -> None:
    words = Words(1)
    writing = asyncio.create_task(words.put("too much"))
    assert await waits(writing)
    words.close()
    await asyncio.wait_for(writing, 1)
    await asyncio.wait_for(words.put("more of it"), 1)
    assert [written async for written in words] == []


async def test_flushes_in_a_row_and_empty_words_take_no_room() -> None:
    words = Words(1000)
    await words.put("a")
    for _ in range(10_000):
        await asyncio.wait_for(words.put(Flush()), 1)
        await words.put("")
    words.end()
    assert [written async for written in words] == ["a", Flush()]


async def test_what_comes_after_the_end_is_dropped() -> None:
    words = Words(100)
    words.end()
    await words.put("late")
    assert [written async for written in words] == []
