"""Refuses at once while a database lets callers wait, and lets one call at a time find out whether it does.

Against waiting alone: a server that refuses connections costs nobody anything, and is asked each time.
"""

import math
import time
from collections.abc import Callable

import structlog

from june_tts.errors import StoreUnavailable

FAILURES = 4
"""In a row, before calls are refused: as many as there are connections, so that one bad one is not enough."""
PAUSE_SECONDS = 1.0
"""Between two tries: what a database that is back costs at most until it is noticed."""

log = structlog.get_logger(__name__)


class Breaker:
    """Closed, calls pass. Open, they are refused, but for one every `PAUSE_SECONDS`, which decides.

    Each call is `enter`, then exactly one of `answered`, `failed`, `left`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.told: Callable[[], None] = lambda: None
        """Called each time that calls begin to be refused."""
        self._failures = 0
        self._open_since: float | None = None
        self._try_at = 0.0
        self._answered_at = -math.inf

    @property
    def open(self) -> bool:
        return self._open_since is not None

    def enter(self) -> None:
        """Raises: StoreUnavailable, saying when to try again."""
        if self._open_since is None:
            return
        now = self._clock()
        if now < self._try_at:
            raise StoreUnavailable(
                "the voice library does not answer: try again in a moment", retry_after=self._try_at - now
            )
        self._try_at = now + PAUSE_SECONDS

    def answered(self) -> None:
        """Yes or no, but soon."""
        self._failures = 0
        self._answered_at = self._clock()
        if self._open_since is not None:
            log.info(
                "database calls are let through again", seconds=round(self._clock() - self._open_since, 1)
            )
            self._open_since = None

    def failed(self, why: str, seconds: float) -> None:
        """It took too long: so many seconds. Where others were answered meanwhile, it stood in line behind
        them: a database that is asked for more than it can answer is not gone."""
        if self._clock() - seconds < self._answered_at:
            return
        self._failures += 1
        self._try_at = self._clock() + PAUSE_SECONDS
        if self._open_since is None and self._failures >= FAILURES:
            self._open_since = self._clock()
            self.told()
            log.error("database does not answer in time: calls are refused until it does", reason=why)

    def left(self) -> None:
        """The caller went away first: nobody knows. The next call may try."""
        self._try_at = min(self._try_at, self._clock())
