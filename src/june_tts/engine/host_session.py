"""What the process with the engines does for one web worker: docs/decisions/workers.md."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from typing import Protocol

import numpy as np

from june_tts.engine.host_frames import BadMessage, failure, packed, unpacked, with_recordings
from june_tts.engine.host_messages import (
    UNWRITTEN,
    AllWritten,
    Array,
    Cancel,
    Chunk,
    Coded,
    Decode,
    Done,
    Encode,
    Enter,
    Entered,
    Failed,
    Held,
    Hold,
    Lend,
    Lent,
    Message,
    Sign,
    Sounded,
    Spans,
    Speak,
    Took,
    ToWorker,
    Wants,
    Written,
)
from june_tts.errors import EngineFailed, JuneError
from june_tts.fish.wire import Unpacker, WireError
from june_tts.ports import Engine, Ledger, SpeaksInCodes, VoiceCodec
from june_tts.telemetry.noted import Notes
from june_tts.telemetry.tracing import Unrecorded, as_current
from june_tts.types import Piece, Utterance

READ_BYTES = 1 << 18
CHUNKS_AHEAD = 2
"""Sent and not yet taken: one that is listened to, and one on its way, so that nobody waits for a round trip.
The engine's own measure of how far ahead it may be (JUNE_AHEAD_SECONDS) comes on top of these."""

log = logging.getLogger(__name__)


class Place(Protocol):
    """See `service.admission.Place`."""

    def asks(self) -> None: ...

    def hears(self, seconds: float) -> None: ...

    def feeds(self, *, words: bool) -> None: ...


Begun = Speak | Enter | Encode | Decode | Lend | Hold
"""Messages that begin a call."""
Admit = Callable[[Enter], AbstractAsyncContextManager[Place]]
"""The one queue of all workers. Entering may raise Overloaded and DeadlineMissed."""


class Unwritten(Exception):
    """The worker's writer of the pieces failed; the worker knows how."""


class Hosted:
    """One stream: what has come for it. Its pieces are read by the engine, its credit by who sends chunks."""

    def __init__(self, ask: Callable[[], None]) -> None:
        """`ask` for one more piece."""
        self._ask = ask
        self._come: asyncio.Queue[Piece | AllWritten] = asyncio.Queue()
        self.credit = asyncio.Semaphore(CHUNKS_AHEAD)

    def write(self, piece: Piece | AllWritten) -> None:
        self._come.put_nowait(piece)

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Raises: Unwritten."""
        while not isinstance(piece := await self._come.get(), AllWritten):
            yield piece
            self._ask()
        if piece.failed:
            raise Unwritten


class Session:
    """One worker's connection. When it ends, so do all its streams."""

    def __init__(
        self, engines: dict[str, Engine], admit: Admit, budgets: Ledger, writer: asyncio.StreamWriter
    ) -> None:
        self._engines = engines
        self._admit = admit
        self._budgets = budgets
        self._writer = writer
        self._streams: dict[int, Hosted] = {}
        self._places: dict[int, Place] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._held: set[tuple[str, str]] = set()
        """Callers for whose streams the worker holds places, and in whose name."""

    def send(self, message: ToWorker, array: Array | None = None) -> None:
        if not self._writer.is_closing():
            self._writer.write(packed(message, array))

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Until the worker is gone."""
        unpacker = Unpacker()
        try:
            while data := await reader.read(READ_BYTES):
                for frame in unpacker.feed(data):
                    try:
                        self._handle(*unpacked(frame))
                    except BadMessage as bad:
                        self._refuse(bad)
        except OSError:
            return  # it was reset: an end like any other
        except WireError as bad:
            log.error("connection of a worker given up: %s", bad)

    async def close(self) -> None:
        """End every stream, and wait for that."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for key_id, owner in self._held:
            await self._budgets.stream(key_id, owner, 0, 0)
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    def _refuse(self, bad: BadMessage) -> None:
        """One call whose message is odd must not end the others of its worker."""
        if bad.id is None:
            raise bad
        log.error("a call's message is no message: %s", bad)
        self._forget(bad.id)
        self.send(Failed(bad.id, EngineFailed.code, "the engine cannot read this request"))

    def _handle(self, message: Message, array: Array) -> None:
        match message:
            case Speak(id=id):
                # at once: its pieces may come with the same read
                self._streams[id] = Hosted(lambda: self.send(Wants(id)))
                self._begin(message, array)
            case Enter() | Encode() | Decode() | Lend() | Hold():
                self._begin(message, array)
            case Written(id, piece):
                self._write(id, piece)
            case AllWritten(id):
                self._write(id, message)
            case Took(id):
                if (taken := self._streams.get(id)) is not None:
                    taken.credit.release()
            case Sign(id, about, seconds):
                self._sign(id, about, seconds)
            case Cancel(id):
                self._forget(id)
            case _:
                raise BadMessage(f"{type(message).__name__} is no message to a host", None)

    async def _work(self, message: Begun, array: Array) -> None:
        """What a call asks for."""
        match message:
            case Speak(id=id):
                await self._traced(message, with_recordings(message, array), self._streams[id])
            case Enter():
                await self._enter(message)
            case Encode(id, name):
                self.send(Coded(id), await self._codec(name).encode(array))
            case Decode(id, name):
                self.send(Sounded(id), await self._codec(name).decode(array))
            case Lend():
                await self._lend(message)
            case Hold():
                await self._hold(message)

    def _write(self, id: int, piece: Piece | AllWritten) -> None:
        if stream := self._streams.get(id):
            stream.write(piece)

    def _sign(self, id: int, about: str, seconds: float) -> None:
        if (place := self._places.get(id)) is None:
            return
        if about == "asks":
            place.asks()
        elif about == "hears":
            place.hears(seconds)
        else:
            place.feeds(words=about == "words")

    def _forget(self, id: int) -> None:
        if task := self._tasks.get(id):
            task.cancel()

    def _begin(self, message: Begun, array: Array) -> None:
        task = self._tasks[message.id] = asyncio.create_task(self._guarded(message, array))
        task.add_done_callback(lambda _: self._over(message.id))

    def _over(self, id: int) -> None:
        self._tasks.pop(id, None)
        self._streams.pop(id, None)

    async def _guarded(self, message: Begun, array: Array) -> None:
        id = message.id
        try:
            await self._work(message, array)
        except Unwritten:
            self.send(Failed(id, UNWRITTEN, ""))
        except JuneError as error:
            self.send(failure(id, error))
        except Exception as error:
            log.exception("a stream failed")
            self.send(failure(id, error))

    async def _traced(self, message: Speak, utterance: Utterance, stream: Hosted) -> None:
        if not message.noted:
            with as_current(Unrecorded(message.trace)):
                return await self._speak(message, utterance, stream)
        notes = Notes(message.trace)
        try:
            with as_current(notes.span):
                await self._speak(message, utterance, stream)
        finally:
            # also of one that was cut off: that is when one wants to know
            self.send(Spans(message.id, notes.all()))

    async def _speak(self, message: Speak, utterance: Utterance, stream: Hosted) -> None:
        made = self._engine(message.engine).synthesize(utterance, stream.pieces())
        async with aclosing(made) as chunks:
            while True:
                # not pulled before there is room: pulling is how an engine learns that audio was taken
                await stream.credit.acquire()
                if (chunk := await anext(chunks, None)) is None:
                    break
                samples = np.ascontiguousarray(chunk.samples, np.float32)
                self.send(Chunk(message.id, chunk.sample_rate, chunk.words), samples)
        self.send(Done(message.id))

    async def _enter(self, message: Enter) -> None:
        """Hold a place until it is given back, or its worker is gone."""
        async with self._admit(message) as place:
            self._places[message.id] = place
            self.send(Entered(message.id))
            try:
                await asyncio.Event().wait()
            finally:
                del self._places[message.id]

    async def _lend(self, message: Lend) -> None:
        grants = await self._budgets.take(message.key_id, message.orders)
        if grants is None:
            raise EngineFailed("the budgets cannot be reached")
        self.send(Lent(message.id, tuple(grants)))

    async def _hold(self, message: Hold) -> None:
        key_id, owner = place = message.key_id, message.owner
        fits = await self._budgets.stream(key_id, owner, message.streams, message.most)
        if fits and message.streams:
            self._held.add(place)
        elif fits:
            self._held.discard(place)
        self.send(Held(message.id, bool(fits)))

    def _engine(self, name: str) -> Engine:
        if (engine := self._engines.get(name)) is None:
            raise EngineFailed(f"the engine {name[:40]} is not loaded")
        return engine

    def _codec(self, name: str) -> VoiceCodec:
        engine = self._engine(name)
        if not isinstance(engine, SpeaksInCodes):
            raise EngineFailed(f"the engine {name} does not speak in codes")
        return engine.codec
