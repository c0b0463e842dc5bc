"""The engines' side of several web workers: each worker is a connection, each stream of it a task."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from typing import Protocol

import numpy as np

from june_tts.engine.host_messages import (
    UNWRITTEN,
    AllWritten,
    Array,
    BadMessage,
    Cancel,
    Chunk,
    Coded,
    Decode,
    Done,
    Encode,
    EngineState,
    Enter,
    Entered,
    Failed,
    Message,
    Sign,
    Sounded,
    Spans,
    Speak,
    State,
    Took,
    ToWorker,
    Wants,
    Written,
    failure,
    packed,
    unpacked,
    with_recordings,
)
from june_tts.errors import EngineFailed, JuneError
from june_tts.fish.wire import Unpacker, WireError
from june_tts.ports import Engine, SpeaksInCodes, Supervised, TellsProgress, VoiceCodec
from june_tts.telemetry.noted import Notes
from june_tts.telemetry.tracing import Unrecorded, as_current
from june_tts.types import Piece, Utterance

READ_BYTES = 1 << 18
CHUNKS_AHEAD = 2
"""Sent and not yet taken: one that is listened to, and one on its way, so that nobody waits for a round trip.
The engine's own measure of how far ahead it may be (JUNE_AHEAD_SECONDS) comes on top of these."""
STATE_SECONDS = 0.25
"""Between two looks at what the engines tell of themselves."""
PULSE_LOOKS = 4
"""After so many without news it is told all the same: a worker can tell silence from a host that hangs."""

log = logging.getLogger(__name__)


class Place(Protocol):
    """See `service.admission.Place`."""

    def asks(self) -> None: ...

    def hears(self, seconds: float) -> None: ...

    def feeds(self, *, words: bool) -> None: ...


Begun = Speak | Enter | Encode | Decode
"""Messages that begin a call."""
Admit = Callable[[Enter], AbstractAsyncContextManager[Place]]
"""The one queue of all workers. Entering may raise Overloaded and DeadlineMissed."""


class EngineHost:
    """Serves engines to web workers. `close` ends every stream; the engines stay the caller's."""

    def __init__(self, engines: Sequence[Engine], admit: Admit) -> None:
        """`engines`: started, in the order of preference."""
        self._engines = {engine.name: engine for engine in engines}
        self._admit = admit
        self._sessions: dict[Session, asyncio.Task[None] | None] = {}
        self._closed = False
        self._server: asyncio.Server | None = None
        self._telling: asyncio.Task[None] | None = None

    async def start(self, path: str) -> None:
        """Listen on a Unix socket."""
        self._server = await asyncio.start_unix_server(self._serve, path, limit=READ_BYTES)
        self._telling = asyncio.create_task(self._tell())

    async def close(self) -> None:
        self._closed = True
        if self._server is not None:
            self._server.close()
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
        for session, serving in list(self._sessions.items()):
            await session.close()
            if serving is not None:
                await asyncio.wait({serving})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = Session(self._engines, self._admit, writer)
        self._sessions[session] = asyncio.current_task()
        try:
            if not self._closed:
                session.send(self._state())
                await session.read(reader)
        finally:
            await session.close()
            del self._sessions[session]

    async def _tell(self) -> None:
        told, looks = self._state(), 0
        while True:
            await asyncio.sleep(STATE_SECONDS)
            looks += 1
            if (now := self._state()) != told or looks >= PULSE_LOOKS:
                told, looks = now, 0
                for session in self._sessions:
                    session.send(now)

    def _state(self) -> State:
        return State(tuple(state_of(engine) for engine in self._engines.values()))


def state_of(engine: Engine) -> EngineState:
    """What a worker is told of an engine."""
    beside = engine if isinstance(engine, Supervised) else None
    codec = engine.codec if isinstance(engine, SpeaksInCodes) else None
    return EngineState(
        engine.name,
        engine.capabilities(),
        tuple(engine.voices()),
        engine.active,
        engine.running,
        beside.health if beside else None,
        beside.counts if beside else None,
        codec.sample_rate if codec else 0,
        codec.codebooks if codec else 0,
        isinstance(engine, TellsProgress),
        engine.idle_since if isinstance(engine, TellsProgress) else None,
    )


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

    def __init__(self, engines: dict[str, Engine], admit: Admit, writer: asyncio.StreamWriter) -> None:
        self._engines = engines
        self._admit = admit
        self._writer = writer
        self._streams: dict[int, Hosted] = {}
        self._places: dict[int, Place] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

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
            case Enter() | Encode() | Decode():
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

    def _engine(self, name: str) -> Engine:
        if (engine := self._engines.get(name)) is None:
            raise EngineFailed(f"the engine {name[:40]} is not loaded")
        return engine

    def _codec(self, name: str) -> VoiceCodec:
        engine = self._engine(name)
        if not isinstance(engine, SpeaksInCodes):
            raise EngineFailed(f"the engine {name} does not speak in codes")
        return engine.codec
