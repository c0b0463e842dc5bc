"""What asks for a place, how it stands, and why it may not have one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from june_tts.errors import DeadlineMissed, JuneError, Overloaded
from june_tts.service.admission_stream import Stream
from june_tts.service.terms import PRIORITIES, Priority, Terms

Reason = Literal["full", "slow", "waited", "deadline", "displaced", "stopping"]
"""The queue is full; it would wait too long; it has waited too long; its first audio would be late; another
caller's first request took its place in a full queue; the server is stopping."""
RANKS = (None, *PRIORITIES)
"""Who goes first: turns that go on after a rest, whose listener is there already, then the classes."""

_WAITS: Mapping[Priority, float] = {"interactive": 0.5, "normal": 5.0, "batch": 120.0}


@dataclass(frozen=True, slots=True)
class AdmissionRules:
    streams: int = 64
    """Playing at once, over all engines; what is learned of an engine may allow fewer."""
    queue: int = 256
    """Waiting at once, over all engines and classes."""
    wait_seconds: Mapping[Priority, float] = field(default_factory=lambda: dict(_WAITS))
    """The longest that a request of each class may wait."""


@dataclass(frozen=True, slots=True)
class Ask:
    engine: str
    characters: int
    """What it costs, for fairness between callers."""
    terms: Terms = Terms()
    ongoing: bool = False
    """Part of a turn that has been heard in part."""

    @property
    def rank(self) -> int:
        return 0 if self.ongoing else RANKS.index(self.terms.priority)


class Refused(Exception):
    """No place, and why. Never leaves admission."""

    def __init__(self, reason: Reason, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.reason: Reason = reason
        self.retry_after = retry_after

    def error(self) -> JuneError:
        """As the caller sees it."""
        kind = DeadlineMissed if self.reason == "deadline" else Overloaded
        return kind(str(self), retry_after=self.retry_after)


@dataclass(eq=False, slots=True)
class Ticket:
    """One request's way through admission. Times are seconds of one monotonic clock."""

    ask: Ask
    came: float
    state: Literal["waiting", "playing", "over"] = "waiting"
    leaves_at: float = math.inf
    """When it gives up waiting."""
    late: bool = False
    """What it gives up for is its deadline."""
    stream: Stream | None = None
    """Once it plays."""
    refused: Refused | None = None
    """Why it had to leave the queue."""
