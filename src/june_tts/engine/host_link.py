"""A web worker's connection to the process with the engines: made again whenever it ends."""

import asyncio
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from june_tts.engine.host_frames import BadMessage, as_error, packed, unpacked
from june_tts.engine.host_messages import (
    UNWRITTEN,
    Answer,
    Array,
    Cancel,
    Coded,
    Done,
    EngineState,
    Failed,
    Held,
    Lent,
    Sounded,
    Spans,
    State,
    ToHost,
    Wants,
)
from june_tts.errors import EngineFailed, JuneError, ModelUnavailable
from june_tts.fish.wire import Unpacker, WireError
from june_tts.telemetry.noted import record
from june_tts.telemetry.tracing import Span

READ_BYTES = 1 << 18
MOST_RECORDED = 4096
"""Calls whose spans are waited for."""
RETRY_SECONDS = 0.05
"""Between two tries to connect: a host that was started again listens when its engines are loaded."""

LAST = (Done, Coded, Sounded, Lent, Held)
"""Answers that no other follows."""
SILENT_SECONDS = 2.5
"""Without a word from the host, which says something every second: it hangs."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HostPatience:
    """In seconds."""

    start: float = 30.0
    """For the first connection."""
    wait: float = 10.0
    """For a host that is being started again, by a request that has come meanwhile."""
    answer: float = 300.0
    """For codes of a recording, or samples of codes."""


class HostCall:
    """A request to the host and the answers to it, in order. For one event loop."""

    def __init__(self, call_id: int, send: Callable[[ToHost, Array | None], None]) -> None:
        self.id = call_id
        self.over = False
        self.wanted = asyncio.Semaphore(1)
        """Pieces that may be sent now; the first one need not be asked for."""
        self.unwritten: Exception | None = None
        """Why there are no more pieces, where their writer failed."""
        self._send = send
        self._answers: deque[tuple[Answer, Array]] = deque()
        self._error: Exception | None = None
        self._changed = asyncio.Event()

    def send(self, message: ToHost) -> None:
        """More of it. Raises: EngineFailed, where the message is larger than any should be."""
        if self.over:
            return
        try:
            self._send(message, None)
        except WireError as bad:
            raise EngineFailed(f"a piece of text cannot be handed to the engine: {bad}") from bad

    def answer(self, message: Answer, array: Array) -> None:
        if isinstance(message, Wants):
            self.wanted.release()
        elif isinstance(message, Failed):
            mine = self.unwritten if message.code == UNWRITTEN else None
            self.fail(mine or as_error(message), at_once=False)
        else:
            self.over = isinstance(message, LAST)
            self._answers.append((message, array))
            self._changed.set()

    def fail(self, error: Exception, *, at_once: bool = True) -> None:
        """`at_once`: what was not taken yet is dropped; else it is heard first, as without a host."""
        if self.over:
            return
        self.over, self._error = True, error
        if at_once:
            self._answers.clear()
        self._changed.set()

    def refuse(self, error: Exception) -> None:
        """End it from this side, for whoever waits for an answer."""
        if not self.over:
            self._send(Cancel(self.id), None)
            self.fail(error)

    async def next(self) -> tuple[Answer, Array]:
        """Raises: EngineFailed, or whatever the engine raised."""
        while not self._answers:
            if self._error is not None:
                raise self._error
            self._changed.clear()
            await self._changed.wait()
        return self._answers.popleft()

    def abandon(self) -> None:
        """Nobody listens any more."""
        self._answers.clear()
        if not self.over:
            self.over = True
            self._send(Cancel(self.id), None)


class HostLink:
    """`start` before the first use, `close` after the last."""

    def __init__(self, path: str, patience: HostPatience | None = None) -> None:
        """`path`: of the host's Unix socket."""
        self._path = path
        self.patience = patience or HostPatience()
        self._writer: asyncio.StreamWriter | None = None
        self._calls: dict[int, HostCall] = {}
        self._numbers = itertools.count(1)
        self._keeping: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.states: Mapping[str, EngineState] = {}
        """By engine, in the order of preference; as last heard of, also while the host is away."""
        self.since = time.time()
        """When it was connected or lost, seconds since 1970."""
        self.heard = time.monotonic()
        """When the host last said anything."""
        self._spans: dict[int, Span] = {}
        """What is recorded, by call: the host tells its part when the call is over here already."""
        self.restarts = -1
        """Hosts that took the place of another one."""

    @property
    def connected(self) -> bool:
        return self._writer is not None

    @property
    def silent_since(self) -> float | None:
        """When a host that is there said something last, if that was too long ago, by `time.monotonic()`."""
        silent = self.connected and time.monotonic() - self.heard > SILENT_SECONDS
        return self.heard if silent else None

    async def start(self) -> None:
        """Connect, and learn which engines there are. Raises: ModelUnavailable."""
        self._keeping = asyncio.create_task(self._keep())
        try:
            async with asyncio.timeout(self.patience.start):
                await self._there()
        except TimeoutError:
            await self.close()
            raise ModelUnavailable("the process with the engines cannot be reached") from None

    async def close(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    async def begin(self, message: Callable[[int], ToHost], array: Array | None = None) -> HostCall:
        """Send a request made with the id it is given; `finish` it in any case.

        Raises:
            EngineFailed: the host is away and does not come back in time.
        """
        try:
            async with asyncio.timeout(self.patience.wait):
                await self._there()
        except TimeoutError:
            raise EngineFailed(
                "the engines are being started again", retry_after=self.patience.wait
            ) from None
        call = HostCall(next(self._numbers), self._send)
        self._calls[call.id] = call
        try:
            self._send(message(call.id), array)
        except WireError as bad:
            self.finish(call)
            raise EngineFailed(f"the request cannot be handed to the engine: {bad}") from bad
        return call

    def record(self, call: HostCall, span: Span) -> None:
        """Have what the host notes of the call recorded within `span`."""
        self._spans[call.id] = span
        if len(self._spans) > MOST_RECORDED:
            # the oldest: one that was cancelled before the host began it is told nothing of
            del self._spans[next(iter(self._spans))]

    def finish(self, call: HostCall) -> None:
        """Forget a call; one that is not over is cancelled in the engine."""
        call.abandon()
        self._calls.pop(call.id, None)

    async def drained(self) -> None:
        """Wait until what was sent fits the socket's buffer. For large messages."""
        if self._writer is not None:
            with suppress(OSError):  # the call is told of the end
                await self._writer.drain()

    def _send(self, message: ToHost, array: Array | None) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(packed(message, array))

    async def _there(self) -> None:
        while self._writer is None or not self.states:
            self._changed.clear()
            await self._changed.wait()

    async def _keep(self) -> None:
        """Connected, again and again. It never ends by itself."""
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path, limit=READ_BYTES)
            except OSError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            try:
                await self._use(reader, writer)
            finally:
                self._lost()
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

    async def _use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer, self.since = writer, time.time()
        self.restarts += 1
        unpacker = Unpacker()
        try:
            while data := await reader.read(READ_BYTES):
                self.heard = time.monotonic()
                for frame in unpacker.feed(data):
                    self._handle(*unpacked(frame))
        except OSError:
            return  # it was reset: an end like any other
        except (WireError, BadMessage) as bad:
            log.error("connection to the engines given up: %s", bad)

    def _handle(self, message: object, array: Array) -> None:
        if isinstance(message, State):
            # one that did not load this time keeps its voices: who asks for it is told that it is away
            self.states = {**self.states, **{state.name: state for state in message.engines}}
            self._changed.set()
        elif isinstance(message, Spans):
            if (span := self._spans.pop(message.id, None)) is not None:
                record(message.noted, span)
        elif isinstance(message, Answer):
            if (call := self._calls.get(message.id)) is not None:
                call.answer(message, array)
        else:
            raise BadMessage(f"{type(message).__name__} came from the host, which only takes it", None)

    def _lost(self) -> None:
        self._writer, self.since = None, time.time()
        error: JuneError = EngineFailed("the engine could not finish this request: its process ended")
        for call in list(self._calls.values()):
            call.fail(error)
        self._spans.clear()
