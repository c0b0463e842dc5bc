"""Who begins, who waits, who is sent away: the whole decision as plain Python, without a clock or a loop.

Whoever calls it tells the time, in seconds that only grow. `moved` is called with each ticket that leaves the
queue, because it plays now or because it was refused; it must not call back.
"""

from collections.abc import Callable

from june_tts.service.admission_ask import AdmissionRules, Ask, Refused, Ticket
from june_tts.service.admission_engine import EngineLoad
from june_tts.service.admission_line import Line
from june_tts.service.admission_places import RETRY_AFTER_SECONDS

MOST_RESTING = 4
"""Streams there may be for each that may play, where the readers of the others take nothing."""


class Gate:
    def __init__(self, rules: AdmissionRules, moved: Callable[[Ticket], None]) -> None:
        self._rules = rules
        self._moved = moved
        self._line = Line(rules.queue)
        self._engines: dict[str, EngineLoad] = {}
        self._active = [0] * 4
        self._stopping = False

    @property
    def active(self) -> int:
        return sum(self._active)

    @property
    def waiting(self) -> int:
        return len(self._line)

    def active_of(self, rank: int) -> int:
        return self._active[rank]

    def waiting_of(self, rank: int) -> int:
        return self._line.of(rank)

    def limits(self) -> dict[str, int]:
        """What each engine carries, as learned so far."""
        return {name: load.learned.playing.value for name, load in self._engines.items()}

    def enter(self, ask: Ask, now: float) -> Ticket:
        """Begin, or wait. Every ticket needs a `leave`. Raises: Refused."""
        if self._stopping:
            raise _stopping()
        self.look(now)
        ticket = Ticket(ask, now)
        load = self._load(ask.engine)
        waits = not self.can_start(ask.engine, now)
        load.came(ask, waits, now)
        if not waits:
            self._check_deadline(ask, load.first_seconds(), 0.0, now)
            self._start(ticket, now)
        else:
            self._queue(ticket, load, now)
        return ticket

    def leave(self, ticket: Ticket, now: float) -> None:
        """It has played, or gave up waiting; a second time does nothing."""
        if ticket.state == "waiting":
            self._line.remove(ticket)
            ticket.state = "over"
        elif ticket.state == "playing":
            load = self._load(ticket.ask.engine)
            self._active[ticket.ask.rank] -= 1
            load.end(ticket, len(self._line) > 0, now)
            self.look(now)

    def expire(self, ticket: Ticket, now: float) -> None:
        """It has waited as long as it may."""
        if ticket.state != "waiting":
            return
        load = self._load(ticket.ask.engine)
        retry = load.retry_after(self._line.ahead_of(ticket), now)
        message = f"no place became free in {now - ticket.came:.1f} s"
        self._send_away(ticket, Refused("deadline" if ticket.late else "waited", message, retry))

    def change(self, rules: AdmissionRules, now: float) -> None:
        """Other limits from now on; who plays or waits does so."""
        self._rules, self._line.most = rules, rules.queue
        for load in self._engines.values():
            load.change(rules)
        self.look(now)

    def stop(self) -> None:
        """Nothing begins any more, and who waits is sent away."""
        self._stopping = True
        for ticket in self._line.all():
            self._send_away(ticket, _stopping())

    def go_on(self) -> None:
        """The opposite of `stop`."""
        self._stopping = False

    def asks(self, ticket: Ticket, now: float) -> None:
        """The reader of a stream waits for audio."""
        if ticket.stream is not None:
            ticket.stream.asks(now)

    def feeds(self, ticket: Ticket, words: bool, now: float) -> None:
        """A stream's engine has words to speak from now on, or none."""
        if ticket.stream is not None:
            ticket.stream.feeds(words, now)
            self.look(now)

    def hears(self, ticket: Ticket, seconds: float, now: float) -> None:
        """The reader of a stream got so much audio."""
        if ticket.stream is not None:
            self._load(ticket.ask.engine).hears(ticket.stream, seconds, now)
            self.look(now)

    def look(self, now: float) -> None:
        """Begin whatever may begin."""
        while len(self._line) and self._has_room(now):
            ticket = self._line.take(lambda engine: self._load(engine).can_start(now), now)
            if ticket is None:
                return
            self._start(ticket, now)
            self._moved(ticket)

    def can_start(self, engine: str, now: float) -> bool:
        """Whether one may begin there now, were nobody before it."""
        return self._has_room(now) and self._load(engine).can_start(now)

    def _has_room(self, now: float) -> bool:
        if self.active < self._rules.streams:
            return True
        awake = self.active - sum(load.resting(now) for load in self._engines.values())
        return awake < self._rules.streams and self.active < MOST_RESTING * self._rules.streams

    def _start(self, ticket: Ticket, now: float) -> None:
        self._load(ticket.ask.engine).start(ticket, now)
        self._active[ticket.ask.rank] += 1

    def _queue(self, ticket: Ticket, load: EngineLoad, now: float) -> None:
        ask = ticket.ask
        longest, ahead = load.longest_wait(ask, now), self._line.ahead_of(ticket)
        wait = load.wait(ahead, now)
        if wait > longest:
            message = f"a place becomes free in about {wait:.1f} s: nobody waits so long here"
            raise Refused("slow", message, load.retry_after(ahead, now))
        self._check_deadline(ask, load.first_seconds(), wait, now)
        if len(self._line) >= self._line.most:
            self._make_room(ticket, ahead, now)
        ticket.leaves_at = now + longest
        if ask.terms.deadline is not None:
            latest = ask.terms.deadline - load.first_seconds()
            ticket.leaves_at, ticket.late = min(ticket.leaves_at, latest), latest < ticket.leaves_at
        self._line.put(ticket, now)

    def _check_deadline(self, ask: Ask, first: float, wait: float, now: float) -> None:
        deadline = ask.terms.deadline
        if deadline is None or now + wait + first <= deadline:
            return
        left = max(0.0, deadline - now)
        message = f"first audio takes about {wait + first:.2f} s: its deadline is in {left:.2f} s"
        load = self._load(ask.engine)
        raise Refused("deadline", message, load.retry_after(0, now))

    def _make_room(self, ticket: Ticket, ahead: int, now: float) -> None:
        other = self._line.gives_way(ticket)
        load = self._load(ticket.ask.engine)
        if other is None:
            message = f"{self._line.most} requests wait already"
            raise Refused("full", message, load.retry_after(ahead, now))
        retry = self._load(other.ask.engine).retry_after(self._line.ahead_of(other), now)
        self._send_away(other, Refused("displaced", "the queue is full, and others go first", retry))

    def _send_away(self, ticket: Ticket, refused: Refused) -> None:
        self._line.remove(ticket)
        ticket.state, ticket.refused = "over", refused
        self._moved(ticket)

    def _load(self, engine: str) -> EngineLoad:
        load = self._engines.get(engine)
        if load is None:
            load = self._engines[engine] = EngineLoad(self._rules)
        return load


def _stopping() -> Refused:
    return Refused("stopping", "this server is stopping: try another one", RETRY_AFTER_SECONDS)
