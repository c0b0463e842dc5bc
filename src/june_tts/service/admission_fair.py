"""Those of one class who wait for one engine: deficit round robin over their callers, by characters.

A caller's turn brings it `QUANTUM` characters, which it may spend at once or save up for a long text; what it
has left is lost when none of its requests waits. So a caller with a thousand requests delays another's one
by no more than its own turn (Shreedhar and Varghese, "Efficient Fair Queuing Using Deficit Round-Robin").
"""

import math
from collections import deque
from dataclasses import dataclass, field

from june_tts.service.admission_ask import Ticket

QUANTUM = 200
"""Characters: an answer of a voice agent."""


@dataclass(eq=False, slots=True)
class Flow:
    caller: str
    waiting: deque[Ticket] = field(default_factory=deque)
    deficit: int = 0

    @property
    def short(self) -> int:
        """Characters that it lacks for its first request."""
        return self.waiting[0].ask.characters - self.deficit


class FairLine:
    def __init__(self, rank: int, engine: str) -> None:
        self.rank = rank
        self.engine = engine
        self.since = 0.0
        """When it last had a turn, or began to wait for one."""
        self._flows: dict[str, Flow] = {}
        self._round: deque[Flow] = deque()
        self._given = False
        """Whether the first of the round has had its quantum."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def put(self, ticket: Ticket, now: float) -> None:
        if not self._count:
            self.since = now
        caller = ticket.ask.terms.caller
        flow = self._flows.get(caller)
        if flow is None:
            flow = self._flows[caller] = Flow(caller)
            self._round.append(flow)
        flow.waiting.append(ticket)
        self._count += 1

    def take(self, now: float) -> Ticket:
        """The next one; call only where somebody waits."""
        self.since = now
        self._skip_rounds()
        while True:
            flow = self._round[0]
            if not self._given:
                flow.deficit += QUANTUM
                self._given = True
            if flow.short <= 0:
                flow.deficit = -flow.short
                return self._pop(flow)
            self._round.rotate(-1)
            self._given = False

    def remove(self, ticket: Ticket) -> None:
        flow = self._flows[ticket.ask.terms.caller]
        flow.waiting.remove(ticket)
        self._count -= 1
        self._tidy(flow)

    def of(self, caller: str) -> int:
        """How many requests of the caller wait."""
        flow = self._flows.get(caller)
        return len(flow.waiting) if flow else 0

    def ahead_of(self, caller: str) -> int:
        """How many of those who wait would about go before one more request of the caller."""
        turns = self.of(caller) + 1
        others = (len(flow.waiting) for flow in self._round if flow.caller != caller)
        return turns - 1 + sum(min(theirs, turns) for theirs in others)

    def longest(self) -> Flow:
        """The caller with most requests."""
        return max(self._round, key=lambda flow: len(flow.waiting))

    def all(self) -> list[Ticket]:
        return [ticket for flow in self._round for ticket in flow.waiting]

    def _pop(self, flow: Flow) -> Ticket:
        ticket = flow.waiting.popleft()
        self._count -= 1
        self._tidy(flow)
        return ticket

    def _tidy(self, flow: Flow) -> None:
        if flow.waiting:
            return
        if self._round[0] is flow:
            self._given = False
        self._round.remove(flow)
        del self._flows[flow.caller]

    def _skip_rounds(self) -> None:
        """Give at once what all get in the rounds in which nobody could afford anything: a book among books
        would take hundreds of them."""
        spare = min(math.ceil(flow.short / QUANTUM) for flow in self._round) - 1
        if spare > 0:
            for flow in self._round:
                flow.deficit += spare * QUANTUM
