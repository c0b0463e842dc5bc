"""What waits for one room: the highest priority first, then whoever came first. No I/O, no waiting."""

import asyncio
import time
from contextvars import Context, copy_context
from dataclasses import dataclass, field

from june_tts.errors import JuneError
from june_tts.service.begun import Begun
from june_tts.types import RoomRequest, UtteranceReport, UtteranceState


@dataclass(eq=False, slots=True)
class Entry:
    """One utterance from acceptance to its end."""

    id: str
    request: RoomRequest
    voice_id: str
    state: UtteranceState = "queued"
    heard_seconds: float = 0.0
    error: JuneError | None = None
    accepted_at: float = field(default_factory=time.monotonic)
    ended_at: float | None = None
    task: asyncio.Task[None] | None = None
    begun: Begun | None = None
    """Its speech, where that was begun before its turn."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    context: Context = field(default_factory=copy_context)
    """Of the request, for what is logged on its behalf later."""

    def hear(self, seconds: float) -> None:
        """So much of it has left by now."""
        self.heard_seconds = seconds

    def end(self, state: UtteranceState, error: JuneError | None = None) -> None:
        self.state, self.error, self.ended_at = state, error, time.monotonic()
        self.over.set()

    def report(self) -> UtteranceReport:
        until = time.monotonic() if self.ended_at is None else self.ended_at
        return UtteranceReport(
            id=self.id,
            room=self.request.room,
            voice_id=self.voice_id,
            priority=self.request.priority,
            state=self.state,
            heard_seconds=self.heard_seconds,
            total_seconds=until - self.accepted_at,
            error=self.error,
        )


class RoomQueue:
    """At most one entry plays; `take` before `settled`, by one runner."""

    def __init__(self) -> None:
        self.playing: Entry | None = None
        self.waiting: list[Entry] = []
        """In the order in which they will be taken."""

    def put(self, entry: Entry) -> None:
        behind = (at for at, one in enumerate(self.waiting) if one.request.priority < entry.request.priority)
        self.waiting.insert(next(behind, len(self.waiting)), entry)

    def take(self) -> Entry | None:
        """The next one, which plays from now on; None where nothing waits."""
        self.playing = self.waiting.pop(0) if self.waiting else None
        return self.playing

    def entries(self) -> list[Entry]:
        """What plays, then what waits."""
        return [*([self.playing] if self.playing else []), *self.waiting]

    def interrupted_by(self, priority: int) -> list[Entry]:
        """What an interruption of this priority ends."""
        return [entry for entry in self.entries() if entry.request.priority <= priority]
