"""The asyncio side of one utterance: text in, audio out, and the work cancelled when its reader leaves."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from contextlib import suppress

from june_tts.engine.lanes import Lanes, Task
from june_tts.engine.schedule import Step, Ticket
from june_tts.errors import EngineFailed, JuneError
from june_tts.types import AudioChunk, Piece, Samples

PIECES_AHEAD = 2
"""Pieces read before they are needed, so that a lane never waits for the event loop between two."""


class Inbox:
    """Pieces on their way to a lane thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._room = asyncio.Semaphore(PIECES_AHEAD)
        self._pieces: deque[Piece] = deque()
        self.ended = False

    async def put(self, piece: Piece) -> None:
        await self._room.acquire()
        self._pieces.append(piece)

    def take(self) -> Piece | None:
        """The next piece, or None where none has come. Called on a lane thread."""
        try:
            piece = self._pieces.popleft()
        except IndexError:
            return None
        self._loop.call_soon_threadsafe(self._room.release)
        return piece


class Outbox:
    """Audio on its way back to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._chunks: deque[Samples] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._error: BaseException | None = None

    def emit(self, samples: Samples) -> None:
        self._loop.call_soon_threadsafe(self._add, samples)

    def end(self, error: BaseException | None) -> None:
        self._loop.call_soon_threadsafe(self.finish, error)

    def finish(self, error: BaseException | None) -> None:
        """End from the event loop's side."""
        self._ended, self._error = True, error
        self._changed.set()

    def _add(self, samples: Samples) -> None:
        self._chunks.append(samples)
        self._changed.set()

    async def next(self) -> Samples | None:
        """The next chunk, or None after the last. Raises EngineFailed or what the text's writer raised."""
        while not self._chunks:
            if self._error is not None:
                raise _as_june_error(self._error)
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._chunks.popleft()


async def stream(
    lanes: Lanes,
    make_steps: Callable[[Inbox, Ticket], Iterator[Step]],
    pieces: AsyncIterable[Piece],
    *,
    sample_rate: int,
    interrupt: Callable[[], None],
) -> AsyncGenerator[AudioChunk, None]:
    """Run one utterance's steps on the lanes. Closing it stops the model run that is under way."""
    loop = asyncio.get_running_loop()
    inbox, outbox = Inbox(loop), Outbox(loop)
    ticket = Ticket(iter(()), sample_rate, time.monotonic())
    ticket.steps = make_steps(inbox, ticket)
    task = Task(ticket, outbox.emit, outbox.end, interrupt)
    feeder = asyncio.create_task(_feed(pieces, inbox, outbox, lambda: lanes.wake(task)))
    lanes.submit(task)
    try:
        while (samples := await outbox.next()) is not None:
            lanes.took(task, samples.size / sample_rate)
            yield AudioChunk(samples, sample_rate)
    finally:
        lanes.cancel(task)
        feeder.cancel()
        with suppress(asyncio.CancelledError):
            await feeder


async def _feed(pieces: AsyncIterable[Piece], inbox: Inbox, outbox: Outbox, wake: Callable[[], None]) -> None:
    try:
        async for piece in pieces:
            await inbox.put(piece)
            wake()
    except Exception as error:  # noqa: BLE001  the reader of the audio is told, whatever the writer raised
        outbox.finish(error)
    inbox.ended = True
    wake()


def _as_june_error(error: BaseException) -> JuneError:
    if isinstance(error, JuneError):
        return error
    failed = EngineFailed(f"the engine stopped: {type(error).__name__}")
    failed.__cause__ = error
    return failed
