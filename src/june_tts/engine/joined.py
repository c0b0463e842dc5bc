"""Pieces to one utterance on the event loop's side: spoken by the lanes, joined by natural pauses."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from contextlib import suppress

from june_tts.audio.seams import Seams
from june_tts.engine.lanes import Lanes, Task
from june_tts.engine.outbox import Outbox
from june_tts.engine.schedule import Listening, Step, Ticket
from june_tts.engine.timing import Timing
from june_tts.types import AudioChunk, Pause, Piece

PIECES_AT_ONCE = 2
"""Of one stream: the one that is heard and the one after it, which runs where a lane is free."""

Speak = Callable[[str, Ticket], Iterator[Step]]
"""From a piece's text to its audio, bit by bit; None marks a good moment to let another stream run."""
Spoken = tuple[Piece, Ticket, Outbox]


class Line:
    """The pieces of one utterance on their way through the lanes, in the order in which they are heard."""

    def __init__(self, lanes: Lanes, speak: Speak, interrupt: Callable[[], None], sample_rate: int) -> None:
        self._lanes = lanes
        self._speak = speak
        self._interrupt = interrupt
        self.stream = Listening(sample_rate, time.monotonic())
        self._room = asyncio.Semaphore(PIECES_AT_ONCE)
        self._spoken: deque[Spoken] = deque()
        self._tasks: deque[Task] = deque()
        self._opening: Outbox | None = None
        self._changed = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None

    async def feed(self, pieces: AsyncIterable[Piece]) -> None:
        """Submit pieces, a little ahead of what is heard, until there are no more. Never raises."""
        try:
            async for piece in pieces:
                await self._room.acquire()
                if self._opening is not None:
                    # The first piece has the whole machine: its words are waited for, and a text of two
                    # pieces is done sooner one after the other, each with all threads, than side by side.
                    await self._opening.made.wait()
                self._submit(piece)
        except Exception as error:  # noqa: BLE001  the reader of the audio is told, whatever the writer raised
            self._error = error
        self._ended = True
        self._changed.set()

    def _submit(self, piece: Piece) -> None:
        outbox = Outbox(asyncio.get_running_loop())
        ticket = Ticket(iter(()), self.stream)
        ticket.steps = self._speak(piece.text, ticket)
        task = Task(ticket, outbox.emit, outbox.end, self._interrupt)
        self._opening = self._opening or outbox
        self._spoken.append((piece, ticket, outbox))
        self._tasks.append(task)
        self._lanes.submit(task)
        self._changed.set()

    async def next(self) -> Spoken | None:
        """The next piece, as soon as it is submitted; None after the last."""
        while not self._spoken:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._spoken[0]

    def over(self) -> None:
        """The piece that `next` gave has been heard to its end."""
        self._spoken.popleft()
        self._tasks.popleft()
        self._room.release()

    def cancel(self) -> None:
        """Stop whatever is under way."""
        for task in self._tasks:
            self._lanes.cancel(task)


async def spoken(
    lanes: Lanes,
    speak: Speak,
    pieces: AsyncIterable[Piece],
    *,
    sample_rate: int,
    speed: float,
    interrupt: Callable[[], None],
) -> AsyncGenerator[AudioChunk, None]:
    """Speak the pieces on the lanes as one utterance. Closing it stops the model runs under way.

    Raises:
        EngineFailed: a step failed. What the writer of the pieces raised is passed on.
    """
    seams = Seams(sample_rate, speed=speed)
    timing = Timing(seams, sample_rate)
    line = Line(lanes, speak, interrupt, sample_rate)
    feeder = asyncio.create_task(line.feed(pieces))
    pause: Pause | None = None
    lanes.streams += 1
    try:
        while (item := await line.next()) is not None:
            piece, ticket, outbox = item
            if pause is not None:
                rest = seams.end_piece(pause)
                timing.end()
                if rest.size:
                    yield AudioChunk(rest, sample_rate, timing.heard())
            timing.begin(piece, ticket.marks)
            while (samples := await outbox.next()) is not None:
                lanes.took(line.stream, samples.size / sample_rate)
                heard = seams.feed(samples)
                if heard.size:
                    yield AudioChunk(heard, sample_rate, timing.heard())
            line.over()
            pause = piece.pause
        if pause is not None and (rest := seams.end_piece("none", last=True)).size:
            timing.end()
            yield AudioChunk(rest, sample_rate, timing.heard())
    finally:
        lanes.streams -= 1
        feeder.cancel()
        line.cancel()
        with suppress(asyncio.CancelledError):
            await feeder
