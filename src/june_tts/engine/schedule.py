"""What runs next: plain Python, no threads, no clock of its own.

A stream's deadline is the moment its listener runs out of sound: the time of its first audio plus the
seconds of audio made since. One that has made none yet is due `START_SLACK_SECONDS` after it came. The
earliest deadline runs first, so a stream that is about to fall silent goes before one that is starting, and
one that is starting goes before all that are ahead of their listeners. The next piece of a stream may run
beside the one that is being heard, if nothing more urgent wants the lane.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from june_tts.types import Samples

START_SLACK_SECONDS = 0.1
NEXT_PIECE_SLACK_SECONDS = 2.0
"""How much later the piece after the one being heard is due: about what is left of that one."""

State = Literal["ready", "running", "parked", "ended"]
Step = Samples | None
"""What one step made: audio, or nothing yet."""


@dataclass(frozen=True, slots=True)
class Mark:
    """When a piece's word is spoken, in samples from the piece's first one."""

    at: int
    """Where the word begins in the piece's text."""
    start: int
    end: int


@dataclass(eq=False, slots=True)
class Listening:
    """One stream as its listener knows it. All times are seconds of one monotonic clock."""

    sample_rate: int
    came_at: float
    first_audio_at: float | None = None
    passed_seconds: float = 0.0
    """Audio of the pieces that are over."""
    taken_seconds: float = 0.0
    """Audio that the reader has taken; what is made but not taken is held in memory."""
    line: "deque[Ticket]" = field(default_factory=deque)
    """The pieces under way, in the order in which they are heard."""


@dataclass(eq=False, slots=True)
class Ticket:
    """One piece's place in the schedule."""

    steps: Iterator[Step]
    stream: Listening
    state: State = "ready"
    made_seconds: float = 0.0
    version: int = 0
    """Raised when its deadline changes, so that older entries in the queue are known to be stale."""
    marks: list[Mark] = field(default_factory=list)
    """Added by the speaker before the audio of their words, in order; empty where it knows none."""

    @property
    def reach_seconds(self) -> float:
        """The stream's audio up to the end of what this piece has made."""
        reach = self.stream.passed_seconds
        for ticket in self.stream.line:
            reach += ticket.made_seconds
            if ticket is self:
                break
        return reach

    @property
    def deadline(self) -> float:
        stream = self.stream
        if stream.first_audio_at is None:
            due = stream.came_at + START_SLACK_SECONDS
        else:
            due = stream.first_audio_at + self.reach_seconds
        heard = stream.line[0] if stream.line else self
        return due if heard is self else due + NEXT_PIECE_SLACK_SECONDS


class Schedule:
    """Tickets that are ready to run, most urgent first. The caller holds the lock."""

    def __init__(self, ahead_seconds: float) -> None:
        self._ahead_seconds = ahead_seconds
        self._ready: list[tuple[float, int, int, Ticket]] = []
        self._order = itertools.count()
        self.active = 0
        """Tickets admitted and not yet ended."""

    def admit(self, ticket: Ticket) -> None:
        """Put a piece at the end of its stream's line."""
        self.active += 1
        ticket.stream.line.append(ticket)
        self._queue(ticket)

    def can_run(self) -> bool:
        while self._ready and self._stale():
            heapq.heappop(self._ready)
        return bool(self._ready)

    def next(self) -> Ticket:
        """Take the most urgent ticket; call only after `can_run`."""
        ticket = heapq.heappop(self._ready)[3]
        ticket.state = "running"
        return ticket

    def stepped(self, ticket: Ticket, step: Step, now: float) -> None:
        """Account for a finished step and queue or park its ticket."""
        if ticket.state == "ended":
            return
        if step is not None and step.size:
            stream = ticket.stream
            stream.first_audio_at = now if stream.first_audio_at is None else stream.first_audio_at
            ticket.made_seconds += step.size / stream.sample_rate
        if self._too_far_ahead(ticket):
            ticket.state = "parked"
        else:
            self._queue(ticket)

    def took(self, stream: Listening, seconds: float) -> int:
        """The reader took audio. Returns how many parked tickets that made ready."""
        stream.taken_seconds += seconds
        woken = [t for t in stream.line if t.state == "parked" and not self._too_far_ahead(t)]
        for ticket in woken:
            self._queue(ticket)
        return len(woken)

    def end(self, ticket: Ticket) -> None:
        """The piece is over, or nobody wants it any more; the next one in line may now be the one heard."""
        if ticket.state == "ended":
            return
        ticket.state = "ended"
        self.active -= 1
        line = ticket.stream.line
        while line and line[0].state == "ended":
            ticket.stream.passed_seconds += line.popleft().made_seconds
        if line and line[0].state == "ready":
            self._queue(line[0])

    def _too_far_ahead(self, ticket: Ticket) -> bool:
        """By the audio up to this piece: what a later one has made must never park the one being heard."""
        return ticket.reach_seconds - ticket.stream.taken_seconds >= self._ahead_seconds

    def _stale(self) -> bool:
        _, _, version, ticket = self._ready[0]
        return ticket.state != "ready" or ticket.version != version

    def _queue(self, ticket: Ticket) -> None:
        ticket.state = "ready"
        ticket.version += 1
        heapq.heappush(self._ready, (ticket.deadline, next(self._order), ticket.version, ticket))
