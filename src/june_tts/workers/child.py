"""One process of the server as its supervisor sees it: started, watched, and started again when it ends."""

import asyncio
import itertools
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from june_tts.workers.control import Control, Line
from june_tts.workers.counts import Counts, last_words

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """In seconds."""

    start: float = 900.0
    """Until a process is ready; torch may compile for minutes."""
    stall: float = 30.0
    """A process that answers nothing for so long is ended and started again."""
    ask: float = 5.0
    """Between two questions after its counts; what it counts after the last one is lost when it dies."""
    close: float = 10.0
    """To end by itself when it is told to, beyond the time that streams have."""
    first_pause: float = 0.1
    """Before it is started again; doubled each time that it did not become ready."""
    longest_pause: float = 30.0


class NotStarted(Exception):
    """A process ended before it was ready for the first time. It has said why itself."""

    def __init__(self, name: str, status: int) -> None:
        super().__init__(f"{name} ended with status {status}")
        self.status = status if status > 0 else 1


class Child:
    """`start` once, then `drain` or `close`. For one event loop."""

    def __init__(
        self,
        name: str,
        module: str,
        first: Callable[[], Mapping[str, Any]],
        limits: ChildLimits,
        *,
        keep: Sequence[int] = (),
        answer: Callable[["Child", Line], None],
    ) -> None:
        """
        Args:
            name: for logs and labels.
            module: `python -m module NUMBER-OF-ITS-SOCKET` is the process.
            first: what it is told first, made anew for each process.
            keep: file descriptors that it inherits.
            answer: takes what it says, but for `ready` and `counts`.
        """
        self.name = name
        self._module = module
        self._first = first
        self._limits = limits
        self._keep = tuple(keep)
        self._answer = answer
        self._control: Control | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._supervising: asyncio.Task[None] | None = None
        self._ending = False
        self._started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._heard = 0.0
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self.ready = False
        self.since = time.time()
        """When it became ready or stopped being so, seconds since 1970."""
        self.restarts = 0
        self.counts: Counts | None = None
        """What it has counted, as it last said."""
        self.departed: Counts | None = None
        """What those before it had counted."""

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Return when it is ready. Raises: NotStarted."""
        self._supervising = asyncio.create_task(self._supervise())
        await asyncio.shield(self._started)

    def tell(self, kind: str, **fields: Any) -> None:
        if self._control is not None:
            self._control.tell(kind, **fields)

    async def ask(self, kind: str, seconds: float, **fields: Any) -> Any:
        """Its answer; None where there is none in time."""
        if not self.ready:
            return None
        number = next(self._numbers)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        self.tell(kind, number=number, **fields)
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            self._asked.pop(number, None)

    async def close(self, kind: str, seconds: float) -> None:
        """Tell it to end, and wait; by force after `seconds`, and the time that closing may take."""
        self._ending = True
        self.tell(kind)
        if not self.ready:
            self.kill()  # it loads, and hears nothing
        if self._supervising is None:
            return
        done, _ = await asyncio.wait({self._supervising}, timeout=seconds + self._limits.close)
        if not done:
            log.error("process ended by force", process=self.name)
            self.kill()
            await asyncio.wait({self._supervising}, timeout=self._limits.close)
        self._supervising.cancel()
        await asyncio.gather(self._supervising, return_exceptions=True)

    def kill(self) -> None:
        """End the process at once; unless the child is ending, another one is started."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def _supervise(self) -> None:
        failures = 0
        while not self._ending:
            was_ready = await self._live()
            failures = 0 if was_ready else failures + 1
            if self._ending:
                return
            if not self._started.done():
                status = -1 if self._process is None else self._process.returncode
                self._started.set_exception(NotStarted(self.name, status or 1))
                return
            log.error("process ended", process=self.name, status=self._status())
            await asyncio.sleep(min(self._limits.first_pause * 2**failures, self._limits.longest_pause))
            self.restarts += 1

    def _status(self) -> str:
        code = None if self._process is None else self._process.returncode
        if code is not None and code < 0:
            return signal.Signals(-code).name
        return f"exit {code}"

    async def _live(self) -> bool:
        """One process, from its start to its end. Whether it was ready."""
        process = await self._spawn()
        watching = asyncio.create_task(self._watch())
        try:
            await self._hear()
            return self.ready
        finally:
            watching.cancel()
            if self.ready:
                self._become(ready=False)
            for future in self._asked.values():
                if not future.done():
                    future.set_result(None)
            await self._buried(process)

    async def _buried(self, process: asyncio.subprocess.Process) -> None:
        """Its socket has ended, so it should, too."""
        try:
            async with asyncio.timeout(self._limits.close):
                await process.wait()
        except TimeoutError:
            self.kill()
            await process.wait()
        finally:
            if process.returncode is None:  # this task was cancelled
                self.kill()
            if self._control is not None:
                await self._control.close()
            self._control = None
            if self.counts is not None:
                self.departed, self.counts = last_words(self.departed, self.counts), None

    async def _spawn(self) -> asyncio.subprocess.Process:
        ours, theirs = socket.socketpair()
        with theirs:
            self._control = await Control.over(ours)
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self._module, str(theirs.fileno())),
                pass_fds=[theirs.fileno(), *self._keep],
                stdin=asyncio.subprocess.DEVNULL,
            )
        self._heard = time.monotonic()
        self._control.tell("start", **self._first())
        return self._process

    async def _hear(self) -> None:
        control = self._control
        while control is not None and (line := await control.hear()) is not None:
            self._heard = time.monotonic()
            match line.get("kind"):
                case "ready":
                    self._become(ready=True)
                    if not self._started.done():
                        self._started.set_result(None)
                case "answer":
                    self._take(line)
                case _:
                    self._answer(self, line)

    def _take(self, line: Line) -> None:
        future = self._asked.get(line.get("number", 0))
        if future is not None and not future.done():
            future.set_result(line.get("value"))

    def _become(self, *, ready: bool) -> None:
        self.ready, self.since = ready, time.time()

    async def _watch(self) -> None:
        """Ends a process that says nothing any more."""
        while True:
            await asyncio.sleep(self._limits.ask)
            await self.count(self._limits.ask)
            limit = self._limits.stall if self.ready else self._limits.start
            if time.monotonic() - self._heard > limit:
                log.error("process does not answer", process=self.name, seconds=limit)
                self.kill()

    async def count(self, seconds: float) -> Counts | None:
        """What it has counted, now where it answers in time, else as it last said."""
        if (found := await self.ask("counts", seconds)) is not None:
            self.counts = found
        return self.counts
