"""One engine process and the socket to it, from its start to its end; it is never restarted. No torch."""

import asyncio
import itertools
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from june_tts.errors import EngineFailed, JuneError, ModelUnavailable
from june_tts.fish.calls import Call
from june_tts.fish.events import Failed, Stats
from june_tts.fish.messages import NOBODY, Answer, Load, Message, Ping, Ready, ToEngine, from_frame, to_frame
from june_tts.fish.options import EngineInfo, EngineOptions
from june_tts.fish.wire import Unpacker, WireError, pack

READ_BYTES = 1 << 18
EXIT_SECONDS = 0.2
"""Between the end of a process's socket and its own."""
STDERR = 2


@dataclass(frozen=True, slots=True)
class Limits:
    """How long what may take, in seconds."""

    load: float = 900.0
    """From the start of the process until it is ready. Compiling takes two minutes and more."""
    stall: float = 60.0
    """A process that does nothing for so long while streams wait is killed."""
    ping: float = 1.0
    """Between two questions after its counts."""
    close: float = 3.0
    """For a process to end by itself once its socket is closed."""


class Link:
    """Made by `Link.open`; `close` it exactly once, also when it has ended by itself."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limits: Limits,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._limits = limits
        self._calls: dict[str, Call] = {}
        self._numbers = itertools.count(1)
        self._ready: asyncio.Future[EngineInfo] = asyncio.get_running_loop().create_future()
        self._ended = asyncio.Event()
        self._progress = time.monotonic()
        self._heard = time.monotonic()
        self.stats: Stats | None = None
        """As of the last ping; None before the first was answered."""
        self.why_ended = ""
        self._tasks = [asyncio.create_task(work) for work in (self._read(), self._wait())]

    @classmethod
    async def open(cls, command: Sequence[str], options: EngineOptions, limits: Limits) -> "Link":
        """Start a process: `command`, with the number of its socket after it.

        Raises:
            ModelUnavailable: there is no such program.
        """
        ours, theirs = _socketpair()
        with ours, theirs:
            # a copy, so that nothing is awaited between the process and the link that ends it
            reader, writer = await asyncio.open_connection(sock=ours.dup(), limit=READ_BYTES)
            try:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    str(theirs.fileno()),
                    pass_fds=[theirs.fileno()],
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=STDERR,  # a stray print in a library must not end up in somebody's piped audio
                )
            except OSError as bad:
                writer.close()
                raise ModelUnavailable(f"{command[0]} cannot be started: {bad.strerror or bad}") from bad
            except asyncio.CancelledError:
                writer.close()
                raise
        link = cls(process, reader, writer, limits)
        link.send(Load(options))
        return link

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self) -> EngineInfo:
        """Wait until the model is loaded and warm.

        Raises:
            ModelUnavailable: it cannot be loaded, the process died over it, or took too long.
        """
        try:
            async with asyncio.timeout(self._limits.load):
                info = await asyncio.shield(self._ready)
        except TimeoutError:
            raise ModelUnavailable(f"the engine was not ready after {self._limits.load:g} s") from None
        self._progress = self._heard = time.monotonic()
        self._tasks.append(asyncio.create_task(self._watch()))
        return info

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._ended.is_set()

    @property
    def idle_since(self) -> float | None:
        """Since when somebody waits for what is not made, by `time.monotonic()`; None where nobody does.

        Who waits for a slot while readers who take nothing hold them all waits for these, not for the engine.
        """
        calls = self._calls.values()
        parked = sum(call.parked for call in calls)
        held_up = self.stats is not None and parked >= self.stats.slots
        return min(self._progress, self._heard) if any(c.hungry for c in calls) and not held_up else None

    async def ended(self) -> None:
        """Wait until it has ended; `why_ended` says why."""
        await self._ended.wait()

    def begin(self, message: Callable[[str], ToEngine], *, window: int = 0) -> Call:
        """Send a request made with the id it is given; `finish` it in any case.

        Raises:
            EngineFailed: the process is gone.
        """
        if self._ended.is_set():
            raise EngineFailed(f"the engine's process is gone: {self.why_ended}")
        call = Call(str(next(self._numbers)), window, self.send)
        if not any(other.hungry for other in self._calls.values()):
            self._progress = time.monotonic()
        self._calls[call.id] = call
        self.send(message(call.id))
        return call

    def finish(self, call: Call) -> None:
        """Forget a call; one that is not over is cancelled in the engine."""
        call.abandon()
        self._calls.pop(call.id, None)

    def send(self, message: ToEngine) -> None:
        if not self._ended.is_set() and not self._writer.is_closing():
            self._writer.write(pack(to_frame(message)))

    async def drained(self) -> None:
        """Wait until what was sent fits the socket's buffer. For large messages."""
        try:
            await self._writer.drain()
        except OSError as bad:
            raise EngineFailed("the engine's process is gone") from bad

    async def close(self) -> None:
        """End the process, by force where it does not end by itself, and wait for that."""
        self._end("the engine was closed", kill=False)
        try:
            async with asyncio.timeout(self._limits.close):
                await self._process.wait()
        except TimeoutError:
            self._kill()
            await self._process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # it was reset by the other end: closed all the same

    async def _read(self) -> None:
        unpacker = Unpacker()
        try:
            while data := await self._reader.read(READ_BYTES):
                for frame in unpacker.feed(data):
                    self._handle(from_frame(frame))
        except WireError as bad:
            self._end(f"its messages cannot be read: {bad}")
        except OSError:
            pass  # it was reset, which is an end like any other
        # most likely the process has died, and says more by how it did
        await asyncio.sleep(EXIT_SECONDS)
        self._end("its process closed the connection")

    async def _wait(self) -> None:
        code = await self._process.wait()
        self._end(f"its process ended ({_named(code)})")

    async def _watch(self) -> None:
        looked = time.monotonic()
        while not self._ended.is_set():
            self.send(Ping())
            await asyncio.sleep(self._limits.ping)
            now = time.monotonic()
            self._excuse(now - looked - self._limits.ping, now)
            looked = now
            if self.idle_since is None:
                self._progress = now
            if now - min(self._progress, self._heard) > self._limits.stall + self._limits.ping:
                self._end(f"it made no progress for {self._limits.stall:g} s")

    def _excuse(self, late: float, now: float) -> None:
        """Leave out of account what this process itself stood still for: a machine that is moved or sleeps,
        or SIGSTOP to all of it, stops the engine too, and what it made otherwise has had no time to arrive.
        """
        self._progress = min(self._progress + late, now)
        self._heard = min(self._heard + late, now)

    def _handle(self, message: Message) -> None:
        match message:
            case Ready(info):
                if not self._ready.done():
                    self._ready.set_result(info)
            case Stats():
                self._count(message)
            case Failed(id=id, message=why) if id == NOBODY:
                self._refuse(ModelUnavailable(why))
            case _ if isinstance(message, Answer):
                self._progress = time.monotonic()
                if (call := self._calls.get(message.id)) is not None:
                    call.answer(message)
            case _:
                raise WireError(f"{type(message).__name__} came from the engine, which only takes it")

    def _count(self, stats: Stats) -> None:
        self._heard = time.monotonic()
        if self.stats is None or _work(stats) != _work(self.stats):
            self._progress = self._heard
        self.stats = stats

    def _end(self, why: str, *, kill: bool = True) -> None:
        """Fail what is under way, at once. Only the first call does anything."""
        if self._ended.is_set():
            return
        self.why_ended = why
        self._ended.set()
        self._refuse(ModelUnavailable(f"the engine could not be loaded: {why}"))
        for call in list(self._calls.values()):
            call.fail(EngineFailed(f"the engine could not finish this request: {why}"))
        if kill:
            self._kill()
        self._writer.close()

    def _refuse(self, error: JuneError) -> None:
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # whoever waits is told; where nobody waits, nobody is missed

    def _kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()


def _named(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit status {code}"


def _work(stats: Stats) -> tuple[int, int]:
    """What grows while the model does anything; a failing step is no work."""
    return stats.frames, stats.prefill_columns


def _socketpair() -> tuple[socket.socket, socket.socket]:
    try:
        return socket.socketpair()
    except OSError as bad:
        raise ModelUnavailable(f"no socket for the engine's process: {bad.strerror or bad}") from bad
