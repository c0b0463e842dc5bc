"""Looks whether engines make anything for those who wait: an answering port says nothing of that."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from june_tts.ports import Engine, TellsProgress
from june_tts.telemetry.metrics.engines import EngineMetrics
from june_tts.telemetry.progress import Progress

LOOKS = 10
"""In the time after which an engine counts as stalled."""
MOST_PAUSE_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Watchdog:
    """`run` it in a task of its own; cancelling ends it."""

    def __init__(
        self,
        engines: Sequence[Engine],
        progress: Progress,
        metrics: EngineMetrics,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`seconds`: that streams wait for an engine which makes nothing before it counts as stalled."""
        self._engines = engines
        self._progress = progress
        self._metrics = metrics
        self._seconds = seconds
        self._clock = clock
        self._looked = clock()
        self.stalled: dict[str, float] = {}
        """Engines that make no progress, and since when, in seconds since 1970."""
        for engine in engines:
            metrics.stalls.labels(engine.name)
            metrics.watch_stalled(engine.name, partial(self.stalled.__contains__, engine.name))

    async def run(self) -> None:
        pause = min(self._seconds / LOOKS, MOST_PAUSE_SECONDS)
        while True:
            await asyncio.sleep(pause)
            self.look(late=pause)

    def look(self, *, late: float = MOST_PAUSE_SECONDS) -> None:
        """Look once. Nothing is said after a pause of this process itself (SIGSTOP, a laptop that slept):
        by more than `late` seconds, whatever the engines made meanwhile has had no time to arrive.
        """
        now, before = self._clock(), self._looked
        self._looked = now
        if now - before > 2 * late + self._seconds / 2:
            return
        for engine in self._engines:
            since = self._idle_since(engine)
            if since is not None and now - since >= self._seconds:
                self._stalls(engine, now - since)
            elif engine.name in self.stalled:
                self._moves(engine.name)

    def _idle_since(self, engine: Engine) -> float | None:
        if isinstance(engine, TellsProgress):
            return engine.idle_since
        return self._progress.idle_since(engine.name)

    def _stalls(self, engine: Engine, seconds: float) -> None:
        if engine.name not in self.stalled:
            self.stalled[engine.name] = time.time() - seconds
            self._metrics.stalls.labels(engine.name).inc()
            log.error("an engine makes no progress", engine=engine.name, seconds=round(seconds, 1))

    def _moves(self, name: str) -> None:
        seconds = time.time() - self.stalled.pop(name)
        log.warning("an engine makes progress again", engine=name, seconds=round(seconds, 1))
