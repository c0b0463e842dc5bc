"""Which stream runs next: plain Python, no threads, no clock of its own.

A stream's deadline is the moment its listener runs out of sound: the time of its first audio plus the
seconds of audio made since. One that has made none yet is due `START_SLACK_SECONDS` after it came. The
earliest deadline runs first, so a stream that is about to fall silent goes before one that is starting,
and one that is starting goes before all that are ahead of their listeners.
"""

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from june_tts.types import Samples

START_SLACK_SECONDS = 0.1

State = Literal["ready", "running", "parked", "ended"]


class Waiting:
    """What a stream's steps yield when the next words have not come yet."""


WAITING = Waiting()
Step = Samples | Waiting | None
"""What one step made: audio, nothing yet (None), or a wish to sleep until more text comes."""


@dataclass(eq=False, slots=True)
class Ticket:
    """One stream's place in the schedule. All times are seconds of one monotonic clock."""

    steps: Iterator[Step]
    sample_rate: int
    came_at: float
    state: State = "ready"
    first_audio_at: float | None = None
    made_seconds: float = 0.0
    taken_seconds: float = 0.0
    """Audio that the reader has taken; what is made but not taken is held in memory."""
    woken: bool = field(default=False)
    """More text came while a step ran, so its WAITING is out of date."""

    @property
    def deadline(self) -> float:
        if self.first_audio_at is None:
            return self.came_at + START_SLACK_SECONDS
        return self.first_audio_at + self.made_seconds

    @property
    def held_seconds(self) -> float:
        return self.made_seconds - self.taken_seconds


class Schedule:
    """Tickets that are ready to run, most urgent first. The caller holds the lock."""

    def __init__(self, ahead_seconds: float) -> None:
        self._ahead_seconds = ahead_seconds
        self._ready: list[tuple[float, int, Ticket]] = []
        self._order = itertools.count()
        self.active = 0
        """Tickets admitted and not yet ended."""

    def admit(self, ticket: Ticket) -> None:
        self.active += 1
        self._make_ready(ticket)

    def can_run(self) -> bool:
        while self._ready and self._ready[0][2].state != "ready":
            heapq.heappop(self._ready)  # it was cancelled while it queued
        return bool(self._ready)

    def next(self) -> Ticket:
        """Take the most urgent ticket; call only after `can_run`."""
        ticket = heapq.heappop(self._ready)[2]
        ticket.state = "running"
        ticket.woken = False
        return ticket

    def stepped(self, ticket: Ticket, step: Step, now: float) -> None:
        """Account for a finished step and queue or park its ticket."""
        if ticket.state == "ended":
            return
        if isinstance(step, Waiting):
            if not ticket.woken:
                ticket.state = "parked"
                return
        elif step is not None and step.size:
            ticket.first_audio_at = now if ticket.first_audio_at is None else ticket.first_audio_at
            ticket.made_seconds += step.size / ticket.sample_rate
        if self._too_far_ahead(ticket):
            ticket.state = "parked"
        else:
            self._make_ready(ticket)

    def took(self, ticket: Ticket, seconds: float) -> bool:
        """The reader took audio. True when that made a parked ticket ready."""
        ticket.taken_seconds += seconds
        return self._unpark(ticket)

    def wake(self, ticket: Ticket) -> bool:
        """More text came. True when that made a parked ticket ready."""
        ticket.woken = True
        return self._unpark(ticket)

    def end(self, ticket: Ticket) -> None:
        if ticket.state != "ended":
            ticket.state = "ended"
            self.active -= 1

    def _too_far_ahead(self, ticket: Ticket) -> bool:
        return ticket.held_seconds >= self._ahead_seconds

    def _unpark(self, ticket: Ticket) -> bool:
        if ticket.state != "parked" or self._too_far_ahead(ticket):
            return False
        self._make_ready(ticket)
        return True

    def _make_ready(self, ticket: Ticket) -> None:
        ticket.state = "ready"
        heapq.heappush(self._ready, (ticket.deadline, next(self._order), ticket))
