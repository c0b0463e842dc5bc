"""The one bounded queue: a fair line for each class and engine, the classes in strict order with aging."""

from collections.abc import Callable

from june_tts.service.admission_ask import RANKS, Ticket
from june_tts.service.admission_fair import FairLine

AGING_SECONDS = {"normal": 2.0, "batch": 10.0}
"""A class that has waited so long for a turn gets one, whoever else waits."""


class Line:
    def __init__(self, most: int) -> None:
        self.most = most
        self._lines: dict[tuple[int, str], FairLine] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, ticket: Ticket, now: float) -> None:
        """Call only where there is room: `len(line) < line.most`."""
        key = (ticket.ask.rank, ticket.ask.engine)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = FairLine(*key)
        line.put(ticket, now)
        self._count += 1

    def take(self, can_start: Callable[[str], bool], now: float) -> Ticket | None:
        """The next one for an engine that can start one; None where nobody waits for such an engine."""
        ready = [line for line in self._lines.values() if line and can_start(line.engine)]
        if not ready:
            return None
        self._count -= 1
        return min(ready, key=lambda line: _order(line, now)).take(now)

    def remove(self, ticket: Ticket) -> None:
        self._lines[ticket.ask.rank, ticket.ask.engine].remove(ticket)
        self._count -= 1

    def ahead_of(self, ticket: Ticket) -> int:
        """How many would about go before it, were it put in now."""
        rank, engine = ticket.ask.rank, ticket.ask.engine
        lines = (line for line in self._lines.values() if line.engine == engine and line.rank <= rank)
        caller = ticket.ask.terms.caller
        return sum(len(line) if line.rank < rank else line.ahead_of(caller) for line in lines)

    def gives_way(self, ticket: Ticket) -> Ticket | None:
        """Who leaves a full queue for it: of a lower class whoever came last of the caller with most
        requests; of its own class only a caller who has more there than its own would then have."""
        lowest = max(
            (line for line in self._lines.values() if line), key=lambda line: line.rank, default=None
        )
        if lowest is None or lowest.rank < ticket.ask.rank:
            return None
        flow = lowest.longest()
        if lowest.rank == ticket.ask.rank and len(flow.waiting) <= lowest.of(ticket.ask.terms.caller) + 1:
            return None
        return flow.waiting[-1]

    def of(self, rank: int) -> int:
        """How many of a rank wait."""
        return sum(len(line) for line in self._lines.values() if line.rank == rank)

    def all(self) -> list[Ticket]:
        return [ticket for line in self._lines.values() for ticket in line.all()]


def _order(line: FairLine, now: float) -> tuple[int, float]:
    patience = AGING_SECONDS.get(RANKS[line.rank] or "")
    overdue = patience is not None and now - line.since >= patience
    return (-1 if overdue else line.rank, line.since)
