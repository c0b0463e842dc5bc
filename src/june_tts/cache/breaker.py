"""Decides whether a part that the server leans on is asked at all. Pure: no clock of its own, no I/O."""

import time
from collections.abc import Callable
from typing import Literal

import structlog

from june_tts.telemetry.metrics.links import LinkMetrics

Part = Literal["redis", "database"]

FAILURES = 3
"""In a row. One lost packet is no outage, and three callers are the most that wait for nothing."""

log = structlog.get_logger(__name__)


class Breaker:
    """Open after `FAILURES` failures in a row, closed again by a probe that worked.

    Callers never probe: whoever owns the part does, in the background, so that no request waits for an
    answer that probably does not come. An outage is one line in the log, and its end another.
    """

    def __init__(self, part: Part, metrics: LinkMetrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._part = part
        self._metrics = metrics
        self._clock = clock
        self._failures = 0
        self.open_since: float | None = None
        """By the clock; None while the part is asked."""

    @property
    def closed(self) -> bool:
        return self.open_since is None

    def worked(self) -> None:
        """A call was answered. One that was begun before an outage says nothing about its end."""
        if self.closed:
            self._failures = 0

    def failed(self, reason: str) -> None:
        """A call was not answered, or too late. `reason`: a class name, nothing that a user wrote."""
        if not self.closed:
            return
        self._failures += 1
        if self._failures >= FAILURES:
            self.open_since = self._clock()
            self._metrics.openings.labels(self._part).inc()
            log.warning("a part is away", part=self._part, reason=reason)

    def probed(self, failure: str | None) -> None:
        """What a probe found: None, or why it failed."""
        if failure is not None:
            self.failed(failure)
            return
        self._failures = 0
        if self.open_since is not None:
            seconds = round(self._clock() - self.open_since, 1)
            self.open_since = None
            log.warning("a part is back", part=self._part, seconds=seconds)
