"""Lanes and streams over steps that are plain Python: order, cancelling, errors, bounds."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing

import numpy as np
import pytest

from june_tts.engine.lanes import Lanes, in_nice_thread
from june_tts.engine.schedule import WAITING, Step, Ticket
from june_tts.engine.stream import Inbox, stream
from june_tts.errors import EngineFailed, InvalidRequest
from june_tts.types import Piece

pytestmark = pytest.mark.unit

RATE = 1000


@pytest.fixture
def lanes() -> Iterator[Lanes]:
    pool = Lanes("test", count=1, ahead_seconds=1.0)
    pool.start()
    yield pool
    pool.close()


async def texts(*words: str) -> AsyncIterator[Piece]:
    for word in words:
        yield Piece(word)


async def endless() -> AsyncIterator[Piece]:
    while True:
        yield Piece("word")


def an_eighth(value: float) -> Step:
    return np.full(RATE // 8, value, dtype=np.float32)


def one_chunk_a_piece(inbox: Inbox, ticket: Ticket) -> Iterator[Step]:
    while True:
        ended = inbox.ended
        piece = inbox.take()
        if piece is not None:
            yield an_eighth(float(len(piece.text)))
        elif ended:
            return
        else:
            yield WAITING


def nothing() -> None:
    pass


Steps = Callable[[Inbox, Ticket], Iterator[Step]]


async def collect(lanes: Lanes, steps: Steps, pieces: AsyncIterator[Piece]) -> list[float]:
    chunks = stream(lanes, steps, pieces, sample_rate=RATE, interrupt=nothing)
    async with aclosing(chunks):
        return [float(chunk.samples[0]) async for chunk in chunks]


async def test_pieces_are_spoken_in_order(lanes: Lanes) -> None:
    assert await collect(lanes, one_chunk_a_piece, texts("a", "bb", "ccc")) == [1.0, 2.0, 3.0]
    assert lanes.active == 0


async def test_streams_side_by_side_get_their_own_audio(lanes: Lanes) -> None:
    words = [["a" * i, "b" * i] for i in range(1, 20)]
    found = await asyncio.gather(*(collect(lanes, one_chunk_a_piece, texts(*pair)) for pair in words))
    assert found == [[float(i), float(i)] for i in range(1, 20)]


async def test_text_may_come_late(lanes: Lanes) -> None:
    async def slowly() -> AsyncIterator[Piece]:
        for word in ("a", "bb"):
            await asyncio.sleep(0.02)
            yield Piece(word)

    assert await collect(lanes, one_chunk_a_piece, slowly()) == [1.0, 2.0]


async def test_work_stops_at_the_bound_when_nobody_takes_the_audio(lanes: Lanes) -> None:
    made = 0

    def steps(inbox: Inbox, ticket: Ticket) -> Iterator[Step]:
        nonlocal made
        for _ in range(100):
            made += 1
            yield an_eighth(1.0)

    chunks = stream(lanes, steps, endless(), sample_rate=RATE, interrupt=nothing)
    async with aclosing(chunks):
        await anext(chunks)
        await asyncio.sleep(0.1)
        # eight eighths ahead, plus the one that was taken
        assert made == 9


async def test_closing_interrupts_the_run_and_frees_the_lane(lanes: Lanes) -> None:
    stop = threading.Event()

    def steps(inbox: Inbox, ticket: Ticket) -> Iterator[Step]:
        yield an_eighth(1.0)
        assert stop.wait(10)  # a long model run, ended by `interrupt`
        raise RuntimeError("interrupted")

    chunks = stream(lanes, steps, endless(), sample_rate=RATE, interrupt=stop.set)
    await anext(chunks)
    await asyncio.sleep(0.02)
    assert lanes.running == 1
    await chunks.aclose()
    assert lanes.active == 0
    assert await collect(lanes, one_chunk_a_piece, texts("next")) == [4.0]


async def test_an_error_in_one_stream_ends_that_stream_only(lanes: Lanes) -> None:
    def failing(inbox: Inbox, ticket: Ticket) -> Iterator[Step]:
        yield an_eighth(1.0)
        raise ValueError("broken")

    with pytest.raises(EngineFailed, match="ValueError"):
        await collect(lanes, failing, texts("a"))
    assert await collect(lanes, one_chunk_a_piece, texts("a")) == [1.0]


async def test_an_error_of_the_texts_writer_reaches_the_reader(lanes: Lanes) -> None:
    async def broken() -> AsyncIterator[Piece]:
        yield Piece("a")
        raise InvalidRequest("no more")

    with pytest.raises(InvalidRequest, match="no more"):
        await collect(lanes, one_chunk_a_piece, broken())
    assert lanes.active == 0


async def test_closing_the_lanes_leaves_no_thread() -> None:
    pool = Lanes("closing", count=3, ahead_seconds=1.0)
    pool.start()
    pool.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("closing-lane")]


async def test_the_event_loop_keeps_ticking_while_a_step_runs(lanes: Lanes) -> None:
    ticks = 0

    def slow(inbox: Inbox, ticket: Ticket) -> Iterator[Step]:
        time.sleep(0.2)
        yield an_eighth(1.0)

    work = asyncio.create_task(collect(lanes, slow, texts("a")))
    while not work.done():
        await asyncio.sleep(0.005)
        ticks += 1
    assert ticks > 5


async def test_set_up_work_hands_back_its_result_and_its_error() -> None:
    assert await in_nice_thread(lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        await in_nice_thread(lambda: 1 // 0)
