"""Starts the process with the engines and the web workers over it, and keeps them running."""

import asyncio
import signal
import socket
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from june_tts.workers.child import Child, ChildLimits
from june_tts.workers.control import Line

HOST, WEB = "june_tts.workers.host", "june_tts.workers.web"
ENGINES = "engines"
"""What the process with the engines is called."""
SOCKET = "engines.sock"
COUNT_SECONDS = 1.0
"""For every process to say what it has counted; of one that is late, its last word is taken."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to run."""

    workers: int
    settings: Mapping[str, Any]
    """By their names, as they were read; each process reads them again."""
    drain_seconds: float


class Supervisor:
    """`run` it; it returns when it was told to stop and everything has ended."""

    def __init__(
        self,
        plan: Plan,
        listener: socket.socket,
        *,
        reread: Callable[[], Plan | None],
        limits: ChildLimits | None = None,
    ) -> None:
        """
        Args:
            listener: bound, and closed by this.
            reread: the settings as they are now; None where they cannot be used, and why has been logged.
        """
        self._plan = plan
        self._listener = listener
        self._reread = reread
        self._limits = limits or ChildLimits()
        self._children: list[Child] = []
        self._stop = asyncio.Event()
        self._signals = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, ready: Callable[[], None]) -> bool:
        """`ready` is called when the port is open. Whether it ended as it should, not by a second signal.

        Raises: NotStarted.
        """
        with tempfile.TemporaryDirectory(prefix="june-tts-") as folder, self._listener:
            self._listen_to_signals()
            try:
                await self._start(f"{folder}/{SOCKET}")
                if not self._stop.is_set():
                    ready()
                await self._stop.wait()
            finally:
                await self._end()
        return self._signals < 2

    async def _start(self, path: str) -> None:
        starting = asyncio.create_task(self._started(path))
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (starting, stopping):
            if not task.done():
                task.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        with suppress(asyncio.CancelledError):
            await starting

    async def _started(self, path: str) -> None:
        """All at once: the workers wait for the engines, and take connections after that."""
        names = [str(number) for number in range(self._plan.workers)]
        self._children = [
            self._child(ENGINES, HOST, path),
            *(self._child(name, WEB, path) for name in names),
        ]
        await asyncio.gather(*(child.start() for child in self._children))

    def _child(self, name: str, module: str, path: str) -> Child:
        listener = self._listener.fileno()

        def first() -> Mapping[str, Any]:
            return {"settings": self._plan.settings, "name": name, "path": path, "listener": listener}

        keep = [] if module == HOST else [listener]
        return Child(name, module, first, self._limits, keep=keep, answer=self._asked)

    def _asked(self, child: Child, line: Line) -> None:
        """What a worker wants to know of all."""
        if line.get("kind") == "everyone":
            self._own(self._tell_everything(child, line.get("number", 0)))

    def _own(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_everything(self, asker: Child, number: int) -> None:
        await asyncio.gather(*(child.count(COUNT_SECONDS) for child in self._children))
        told = [
            {
                "name": child.name,
                "pid": child.pid,
                "ready": child.ready,
                "since": child.since,
                "restarts": child.restarts,
                "counts": child.counts,
                "departed": child.departed,
            }
            for child in self._children
        ]
        asker.tell("answer", number=number, value=told)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopped)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _stopped(self) -> None:
        self._signals += 1
        self._stop.set()
        if self._signals > 1:
            for child in self._children:
                child.kill()

    def _reload(self) -> None:
        if (plan := self._reread()) is None:
            return
        self._plan = Plan(self._plan.workers, plan.settings, plan.drain_seconds)
        for child in self._children:
            child.tell("reload", settings=plan.settings)

    async def _end(self) -> None:
        """Workers first: what they play comes from the engines."""
        # closed here as well, or connections would wait in it for workers that take no more
        self._listener.close()
        seconds = self._plan.drain_seconds
        workers = [child for child in self._children if child.name != ENGINES]
        await asyncio.gather(*(child.close("drain", seconds) for child in workers))
        await asyncio.gather(
            *(child.close("drain", 0.0) for child in self._children if child.name == ENGINES)
        )
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
