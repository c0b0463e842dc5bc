"""Text that is still being written, as the pieces that an engine reads while it speaks."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Protocol

from june_tts.text import Growing
from june_tts.types import AudioChunk, Piece, Written

REST_SECONDS = 0.2
"""A passage whose words were all spoken ends after this, though its listener may have heard it before."""
SETTLE_SECONDS = 0.02
"""How long a text that was said before waits for the flush that says it is whole: clients send that in a
message of its own, right after the text."""


class Kept(Protocol):
    """What was said before as one turn would say it."""

    def expected(self, text: str) -> bool:
        """Whether `find` would find it at once, or have it kept."""
        ...

    async def find(self, text: str, *, ongoing: bool) -> AsyncGenerator[AudioChunk, None] | None:
        """Its speech, if it was kept or is to be kept now. `ongoing`: the turn was heard in part."""
        ...

    def said(self, text: str) -> None:
        """It was spoken, and not from here."""
        ...


class Hearing:
    """How far somebody is who hears the audio as it is made. Times in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = clock()
        self.made = 0.0
        """Of all audio so far."""

    def add(self, chunk: AudioChunk) -> None:
        seconds = chunk.samples.size / chunk.sample_rate
        self.made += seconds
        self._until = max(self._clock(), self._until) + seconds

    @property
    def left(self) -> float:
        """Of what was made, not heard yet."""
        return max(0.0, self._until - self._clock())


def later(chunk: AudioChunk, seconds: float) -> AudioChunk:
    """With the times of its passage as times of its turn."""
    if not chunk.words or not seconds:
        return chunk
    words = (replace(word, start=word.start + seconds, end=word.end + seconds) for word in chunk.words)
    return replace(chunk, words=tuple(words))


class LiveText:
    """The words of one turn, in passages: what is spoken without a rest. Read by one at a time; close it.

    Nothing is read before it is asked for, so that a writer who is quicker than speech has to wait.
    """

    def __init__(
        self,
        written: AsyncIterable[Written],
        growing: Growing,
        check: Callable[[str, int], None],
        hearing: Hearing,
    ) -> None:
        """`check`: given what was written and the characters so far with it; raises what refuses them."""
        self._written = aiter(written)
        self._growing = growing
        self._check = check
        self._hearing = hearing
        self._reading: asyncio.Task[Written | None] | None = None
        self._ready: Iterator[Piece] = iter(())
        self._next: Piece | None = None
        self._flushed = False
        self._ended = False
        self._characters = 0
        self._told = 0
        self._words: list[str] = []
        """Of the passage."""
        self._several = False
        """More of it was written after a flush."""

    async def begun(self) -> bool:
        """Wait for something to speak; False where nothing more comes."""
        self._words, self._several = [], False
        while not self._peek():
            if self._ended:
                return False
            await self._read(None)
        return True

    async def passage(self) -> AsyncGenerator[Piece, None]:
        """The pieces up to the next rest: all is flushed and heard, and no more was written."""
        while await self._goes_on():
            if self._next is not None:
                piece, self._next = self._next, None
                yield piece

    async def said_before(self, kept: Kept, *, ongoing: bool) -> AsyncGenerator[AudioChunk, None] | None:
        """The speech of a passage that has not begun, where all of it is there and was said before.

        None of it comes as a piece then.
        """
        if not self._flushed:
            sofar = self._text()
            await self._read(SETTLE_SECONDS if sofar and kept.expected(sofar) else 0)
        chunks = await kept.find(self.whole, ongoing=ongoing) if self.whole else None
        if chunks is not None:
            self._leave()
        return chunks

    @property
    def whole(self) -> str:
        """The passage's text, without blanks around it, where it is one utterance and flushed; else empty."""
        return self._text() if self._flushed else ""

    @property
    def untold(self) -> int:
        """Characters that were written since `wrote` was last asked."""
        return self._characters - self._told

    def wrote(self) -> int:
        """Characters that were written since this was last asked."""
        told, self._told = self._told, self._characters
        return self._characters - told

    async def aclose(self) -> None:
        """Ask the writer for nothing more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    def _text(self) -> str:
        return "" if self._several else "".join(self._words).strip()

    def _leave(self) -> None:
        for _ in self._ready:
            pass
        self._next = None
        self.wrote()

    async def _goes_on(self) -> bool:
        while not self._peek():
            if self._ended:
                return False
            resting = max(REST_SECONDS, self._hearing.left) if self._flushed else None
            if not await self._read(resting):
                return False
        return True

    def _peek(self) -> bool:
        if self._next is None:
            self._next = next(self._ready, None)
        return self._next is not None

    async def _read(self, seconds: float | None) -> bool:
        """Take what is written next; False where nothing was for so long."""
        # a task, as a generator whose `anext` is cancelled has ended
        self._reading = self._reading or asyncio.create_task(self._one())
        await asyncio.wait({self._reading}, timeout=seconds)
        if not self._reading.done():
            return False
        reading, self._reading = self._reading, None
        self._take(reading.result())
        return True

    async def _one(self) -> Written | None:
        return await anext(self._written, None)

    def _take(self, written: Written | None) -> None:
        if isinstance(written, str):
            self._add(written)
        else:
            self._flushed, self._ended = True, written is None
        ready = self._growing.ready(flush=self._flushed)
        # pieces may be left of what was there before, where a look was taken
        self._ready = ready if self._next is None else chain(self._ready, ready)

    def _add(self, text: str) -> None:
        self._characters += len(text)
        self._check(text, self._characters)
        if not self._hearing.left and not self._growing.waiting and self._next is None:
            self._growing.restart()  # silence now: sound at once is worth more than a long piece
        self._growing.feed(text)
        if text.strip():
            self._several = self._several or (self._flushed and any(map(str.strip, self._words)))
            self._flushed = False
        self._words.append(text)
