"""Lanes and utterances over steps that are plain Python: order, cancelling, errors, bounds."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import numpy as np
import pytest

from june_tts.engine.joined import Speak, spoken
from june_tts.engine.lanes import Lanes, in_nice_thread
from june_tts.engine.schedule import Step, Ticket
from june_tts.errors import EngineFailed, InvalidRequest
from june_tts.types import Piece

pytestmark = pytest.mark.unit

RATE = 1000


@pytest.fixture(params=[1, 2, 3])
def lanes(request: pytest.FixtureRequest) -> Iterator[Lanes]:
    pool = Lanes("test", count=request.param, ahead_seconds=1.0)
    pool.start()
    yield pool
    pool.close()


async def texts(*words: str) -> AsyncIterator[Piece]:
    for word in words:
        yield Piece(word, "none")


async def endless() -> AsyncIterator[Piece]:
    while True:
        yield Piece("word", "none")


def an_eighth(value: float) -> Step:
    return np.full(RATE // 8, value, dtype=np.float32)


def by_length(text: str, ticket: Ticket) -> Iterator[Step]:
    """Two chunks whose level is a tenth for each character."""
    for _ in range(2):
        yield None
        yield an_eighth(len(text) / 10)


def nothing() -> None:
    pass


async def levels(lanes: Lanes, speak: Speak, pieces: AsyncIterator[Piece]) -> list[float]:
    """The levels that are heard, in order, each once; fades and silence left out."""
    chunks = spoken(lanes, speak, pieces, sample_rate=RATE, speed=1.0, interrupt=nothing)
    async with aclosing(chunks):
        heard = np.concatenate([chunk.samples async for chunk in chunks] or [np.zeros(0, np.float32)])
    steady = [round(float(v), 3) for v, w in zip(heard, heard[1:], strict=False) if v == w and v > 0.05]
    return [v for i, v in enumerate(steady) if i == 0 or v != steady[i - 1]]


async def test_pieces_are_heard_in_order_whichever_is_made_first(lanes: Lanes) -> None:
    def uneven(text: str, ticket: Ticket) -> Iterator[Step]:
        for step in by_length(text, ticket):
            time.sleep(0.01 if len(text) % 2 else 0.0)
            yield step

    words = ["a" * n for n in (1, 2, 3, 4, 5, 6, 7)]
    assert await levels(lanes, uneven, texts(*words)) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert lanes.streams == lanes.running == 0


async def test_streams_side_by_side_get_their_own_audio(lanes: Lanes) -> None:
    pairs = [["a" * i, "b" * (10 - i)] for i in (1, 2, 3, 4)] * 4
    found = await asyncio.gather(*(levels(lanes, by_length, texts(*pair)) for pair in pairs))
    assert found == [[len(first) / 10, len(second) / 10] for first, second in pairs]


async def test_text_may_come_late(lanes: Lanes) -> None:
    async def slowly() -> AsyncIterator[Piece]:
        for word in ("a", "bb", "ccc"):
            await asyncio.sleep(0.02)
            yield Piece(word, "none")

    assert await levels(lanes, by_length, slowly()) == [0.1, 0.2, 0.3]


async def test_no_piece_and_a_silent_piece_are_no_audio(lanes: Lanes) -> None:
    assert await levels(lanes, by_length, texts()) == []
    assert await levels(lanes, lambda text, ticket: iter(()), texts("a", "b")) == []


async def test_the_second_piece_is_not_begun_before_the_first_is_made(lanes: Lanes) -> None:
    order: list[str] = []

    def noted(text: str, ticket: Ticket) -> Iterator[Step]:
        order.append(f"begin {text}")
        yield None
        time.sleep(0.03)
        yield an_eighth(0.5)
        yield an_eighth(0.5)
        order.append(f"made {text}")

    await levels(lanes, noted, texts("one", "two"))
    assert order == ["begin one", "made one", "begin two", "made two"]


async def test_later_pieces_run_side_by_side_where_a_lane_is_free(lanes: Lanes) -> None:
    together, most = set[str](), 0

    def noted(text: str, ticket: Ticket) -> Iterator[Step]:
        nonlocal most
        together.add(text)
        for _ in range(5):
            time.sleep(0.005)
            most = max(most, len(together))
            yield an_eighth(0.1)
        together.discard(text)

    await levels(lanes, noted, texts("one", "two", "three", "four"))
    assert most == min(2, len([t for t in threading.enumerate() if t.name.startswith("test-lane")]))


async def test_work_stops_at_the_bound_when_nobody_takes_the_audio(lanes: Lanes) -> None:
    made = 0

    def hundred(text: str, ticket: Ticket) -> Iterator[Step]:
        nonlocal made
        for _ in range(100):
            made += 1
            yield an_eighth(0.5)

    chunks = spoken(lanes, hundred, endless(), sample_rate=RATE, speed=1.0, interrupt=nothing)
    async with aclosing(chunks):
        await anext(chunks)
        await asyncio.sleep(0.1)
        # a second is eight of them; beside it what was taken, and one from the next piece
        assert 9 <= made <= 12


async def test_closing_interrupts_the_run_and_frees_the_lane(lanes: Lanes) -> None:
    stop = threading.Event()

    def stuck(text: str, ticket: Ticket) -> Iterator[Step]:
        yield an_eighth(0.5)
        assert stop.wait(10)  # a long model run, ended by `interrupt`
        raise RuntimeError("interrupted")

    chunks = spoken(lanes, stuck, endless(), sample_rate=RATE, speed=1.0, interrupt=stop.set)
    await anext(chunks)
    await asyncio.sleep(0.02)
    assert lanes.running >= 1
    await chunks.aclose()
    assert lanes.streams == 0
    assert await levels(lanes, by_length, texts("next")) == [0.4]


async def test_an_error_in_one_stream_ends_that_stream_only(lanes: Lanes) -> None:
    def failing(text: str, ticket: Ticket) -> Iterator[Step]:
        yield an_eighth(0.5)
        raise ValueError("broken")

    with pytest.raises(EngineFailed, match="ValueError"):
        await levels(lanes, failing, texts("a", "b", "c"))
    assert await levels(lanes, by_length, texts("a")) == [0.1]
    assert lanes.streams == 0


async def test_an_error_of_the_texts_writer_reaches_the_reader(lanes: Lanes) -> None:
    async def broken() -> AsyncIterator[Piece]:
        yield Piece("a")
        raise InvalidRequest("no more")

    with pytest.raises(InvalidRequest, match="no more"):
        await levels(lanes, by_length, broken())
    assert lanes.streams == 0


async def test_closing_the_lanes_leaves_no_thread() -> None:
    pool = Lanes("closing", count=3, ahead_seconds=1.0)
    pool.start()
    pool.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("closing-lane")]


async def test_the_event_loop_keeps_ticking_while_a_step_runs(lanes: Lanes) -> None:
    ticks = 0

    def slow(text: str, ticket: Ticket) -> Iterator[Step]:
        time.sleep(0.2)
        yield an_eighth(0.5)

    work = asyncio.create_task(levels(lanes, slow, texts("a")))
    while not work.done():
        await asyncio.sleep(0.005)
        ticks += 1
    assert ticks > 5


async def test_set_up_work_hands_back_its_result_and_its_error() -> None:
    assert await in_nice_thread(lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        await in_nice_thread(lambda: 1 // 0)
