"""Places to speak: a bounded queue in front of the engines. The waiting itself; `Gate` decides."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from june_tts.errors import JuneError
from june_tts.service.admission_ask import RANKS, AdmissionRules, Ask, Refused, Ticket
from june_tts.service.admission_gate import Gate
from june_tts.service.admission_places import RETRY_AFTER_SECONDS, Places, stopping
from june_tts.service.terms import Priority, current_terms
from june_tts.telemetry.metrics.admission import AdmissionMetrics
from june_tts.telemetry.tracing import within

LOOK_SECONDS = 0.5
"""How often is looked, while somebody waits, whether time alone has made room: a listener who is lost or a
reader who rests holds nobody up any more."""

__all__ = ["RETRY_AFTER_SECONDS", "Admission", "AdmissionRules", "Place", "Places", "stopping"]


class Place:
    """A place that is held. Told what its listener gets, which is how the engine's limit is learned."""

    def __init__(self, gate: Gate, ticket: Ticket, clock: Callable[[], float]) -> None:
        self._gate = gate
        self._ticket = ticket
        self._clock = clock

    def asks(self) -> None:
        """The next chunk is waited for."""
        self._gate.asks(self._ticket, self._clock())

    def hears(self, seconds: float) -> None:
        """A chunk of so much audio is there."""
        self._gate.hears(self._ticket, seconds, self._clock())

    def feeds(self, *, words: bool) -> None:
        """The engine has words to speak from now on, or waits for some that are still being written."""
        self._gate.feeds(self._ticket, words, self._clock())


class Admission:
    """All calls on one event loop.

    Args:
        refused: told the code of each refusal.
    """

    def __init__(
        self,
        rules: AdmissionRules,
        metrics: AdmissionMetrics,
        refused: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gate = Gate(rules, self._moved)
        self._metrics = metrics
        self._refused = refused
        self._clock = clock
        self._waiting: dict[Ticket, asyncio.Future[None]] = {}
        self._looks = False
        self.draining_since: float | None = None
        """`time.monotonic()` of the beginning of the end."""
        for rank, priority in enumerate(RANKS):
            gate = self._gate
            metrics.watch(
                priority or "ongoing", partial(gate.active_of, rank), partial(gate.waiting_of, rank)
            )
        metrics.watch_limits(self._gate.limits)

    @property
    def active(self) -> int:
        """Streams that play."""
        return self._gate.active

    @property
    def waiting(self) -> int:
        return self._gate.waiting

    @property
    def limits(self) -> dict[str, int]:
        """How many streams each engine carries, as learned so far."""
        return self._gate.limits()

    @property
    def draining(self) -> bool:
        """Set on shutdown: what plays may finish, nothing new is admitted, who waits is sent away."""
        return self.draining_since is not None

    @draining.setter
    def draining(self, value: bool) -> None:
        self.draining_since = time.monotonic() if value else None
        self._gate.stop() if value else self._gate.go_on()

    def change(self, rules: AdmissionRules) -> None:
        """Other limits from now on; who plays or waits does so."""
        self._gate.change(rules, self._clock())

    @asynccontextmanager
    async def place(self, engine: str, characters: int, *, ongoing: bool = False) -> AsyncIterator[Place]:
        """Wait for a place, on the current terms, and hold it. Cancelling leaves the queue or frees it.

        Args:
            engine: the name of the one that will speak.
            characters: of the text; what it counts against the caller's share.
            ongoing: goes on with a turn that has been heard in part.

        Raises:
            Overloaded: it would wait too long, or has; the queue is full; the server is stopping.
            DeadlineMissed: first audio would come after the deadline of the terms.
        """
        ask = Ask(engine, characters, current_terms(), ongoing)
        began = self._clock()
        try:
            ticket = self._gate.enter(ask, began)
        except Refused as refused:
            raise self._told(refused, ask.terms.priority) from None
        try:
            with within("queue"):
                if ticket.state == "waiting":
                    await self._turn(ticket)
            self._metrics.waited(ask.terms.priority, self._clock() - began)
            yield Place(self._gate, ticket, self._clock)
        finally:
            self._gate.leave(ticket, self._clock())

    async def _turn(self, ticket: Ticket) -> None:
        """Return when it may begin. Raises: Overloaded, DeadlineMissed."""
        loop = asyncio.get_running_loop()
        turn = self._waiting[ticket] = loop.create_future()
        timer = loop.call_later(max(0.0, ticket.leaves_at - ticket.came), self._expire, ticket)
        if not self._looks:
            self._looks = True
            loop.call_later(LOOK_SECONDS, self._look)
        try:
            await turn
        finally:
            timer.cancel()
            del self._waiting[ticket]
        if ticket.refused is not None:
            raise self._told(ticket.refused, ticket.ask.terms.priority)

    def _expire(self, ticket: Ticket) -> None:
        self._gate.expire(ticket, self._clock())

    def _look(self) -> None:
        self._gate.look(self._clock())
        self._looks = bool(self._waiting)
        if self._looks:
            asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _moved(self, ticket: Ticket) -> None:
        turn = self._waiting.get(ticket)
        if turn is not None and not turn.done():
            turn.set_result(None)

    def _told(self, refused: Refused, priority: Priority) -> JuneError:
        self._metrics.refused(priority, refused.reason)
        error = refused.error()
        self._refused(error.code)
        return error
