"""Encoded audio in messages that every client takes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from june_tts.http.live_audio import LEAST, LINGER_SECONDS, MOST, messages

pytestmark = pytest.mark.unit


class Source:
    """Gives parts, waiting before those that are named; knows whether it was closed."""

    def __init__(self, sizes: Sequence[int], pauses: Sequence[int] = ()) -> None:
        self._sizes = sizes
        self._pauses = pauses
        self.closed = False
        self.fails: Exception | None = None

    @property
    def whole(self) -> bytes:
        return b"".join(self._part(at, size) for at, size in enumerate(self._sizes))

    async def stream(self) -> AsyncGenerator[bytes, None]:
        try:
            for at, size in enumerate(self._sizes):
                if at in self._pauses:
                    await asyncio.sleep(2 * LINGER_SECONDS)
                yield self._part(at, size)
            if self.fails:
                raise self.fails
        finally:
            self.closed = True

    def _part(self, at: int, size: int) -> bytes:
        return bytes([at % 255 + 1]) * size


async def parts(sizes: Sequence[int], *, raw: bool, pauses: Sequence[int] = ()) -> list[bytes]:
    return [part async for part in messages(Source(sizes, pauses).stream(), raw=raw)]


SIZES = st.lists(
    st.integers(0, 3 * MOST // 2).map(lambda half: 2 * half) | st.integers(0, 20).map(lambda n: 2 * n),
    max_size=8,
)


@given(SIZES)
@settings(max_examples=100, deadline=None)
def test_samples_come_whole_in_messages_of_the_right_size(sizes: list[int]) -> None:
    found = asyncio.run(parts(sizes, raw=True))
    whole = b"".join(found)
    assert whole.rstrip(b"\0") == Source(sizes).whole
    assert all(LEAST <= len(part) <= MOST and len(part) % 2 == 0 for part in found)
    assert len(whole) - len(Source(sizes).whole) <= LEAST


@given(SIZES)
@settings(max_examples=100, deadline=None)
def test_other_bytes_are_never_changed_and_small_only_where_there_are_no_more(sizes: list[int]) -> None:
    found = asyncio.run(parts(sizes, raw=False))
    assert b"".join(found) == Source(sizes).whole
    assert all(len(part) <= MOST for part in found)
    assert all(len(part) >= LEAST for part in found[:-1])
    if found and len(found[-1]) < LEAST:
        # so little that the one before it could not leave any of its own
        assert len(found) == 1 or len(found[-2]) < 2 * LEAST


async def test_the_first_message_leaves_as_soon_as_it_is_large_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("june_tts.http.live_audio.LINGER_SECONDS", 60.0)  # not because nothing came
    async with aclosing(messages(Source([500, 600, 9], pauses=[2]).stream(), raw=False)) as found:
        assert len(await anext(found)) == 1100


async def test_what_is_held_back_leaves_when_nothing_comes_for_a_while() -> None:
    found = await parts([5000, 5000, 5000], raw=False, pauses=[2])
    assert [len(part) for part in found[:3]] == [5000 - LEAST, 5000, LEAST]


async def test_an_error_comes_after_what_was_made_before_it() -> None:
    source = Source([5000])
    source.fails = ValueError("broken")
    with pytest.raises(ValueError, match="broken"):
        async for part in messages(source.stream(), raw=True):
            assert len(part) == 5000


async def test_closing_closes_the_source() -> None:
    source = Source([5000] * 10)
    async with aclosing(messages(source.stream(), raw=True)) as found:
        await anext(found)
    assert source.closed


async def test_a_source_is_read_in_one_task_from_its_first_word_to_its_last() -> None:
    tasks: set[object] = set()

    async def source() -> AsyncIterator[bytes]:
        try:
            for _ in range(5):
                tasks.add(asyncio.current_task())
                yield b"x" * 5000
        finally:
            tasks.add(asyncio.current_task())

    async for _ in messages(source(), raw=True):  # type: ignore[arg-type]  # an async generator by its kind
        pass
    assert len(tasks) == 1
