"""When a stream's next audio leaves: soon at first, in larger chunks the further its listener is ahead.

The codec costs less a frame in larger chunks (its weights are read once a call), but a frame that waits is
not heard. No clock of its own: every call is told the time, in seconds of one monotonic clock.
"""

from dataclasses import dataclass

DRY_SECONDS = 0.1
"""A listener with less than this left is about to run dry: a step of the model and a call of the codec."""


@dataclass(frozen=True, slots=True)
class PaceRules:
    """How many frames make a chunk."""

    first_frames: int
    """Of the first one, and of the first after the listener has run dry."""
    most_frames: int
    frame_seconds: float
    """What one frame is to hear."""


class Pace:
    """One stream and its listener, who plays from the first chunk on while there is audio."""

    def __init__(self, rules: PaceRules, *, realtime: bool) -> None:
        self._rules = rules
        self._realtime = realtime
        self.plays_until: float | None = None
        """When the listener will have heard all that was sent; None before the first audio."""

    def due(self, pending: int, now: float) -> bool:
        """Whether the `pending` frames should leave."""
        if not pending:
            return False
        return pending >= self.chunk_frames(now) or self._about_to_run_dry(now)

    def may_join(self, pending: int, now: float) -> bool:
        """Whether they may leave early, because the codec is called for another stream anyway."""
        return pending > 0 and 2 * pending >= self.chunk_frames(now)

    def chunk_frames(self, now: float) -> int:
        """Frames of the next chunk: half of what the listener still has. An engine of twice real time makes
        that in time; from a slower one the chunk comes smaller, since the half shrinks as time goes by."""
        rules = self._rules
        if not self._realtime:
            return rules.most_frames
        half_of_lead = int(self._lead_seconds(now) / rules.frame_seconds / 2)
        return min(max(half_of_lead, rules.first_frames), rules.most_frames)

    def sent(self, frames: int, now: float) -> None:
        """A chunk has left."""
        resumes_at = now if self.plays_until is None else max(self.plays_until, now)
        self.plays_until = resumes_at + frames * self._rules.frame_seconds

    def runs_dry_at(self, pending: int) -> float | None:
        """When the listener will have heard the pending frames too; None before the first audio."""
        return None if self.plays_until is None else self.plays_until + pending * self._rules.frame_seconds

    def _lead_seconds(self, now: float) -> float:
        return 0.0 if self.plays_until is None else self.plays_until - now

    def _about_to_run_dry(self, now: float) -> bool:
        """But not one that is dry already: a player then buffers anew, and an engine that is too slow for so
        many streams would only get slower by calling the codec for every frame."""
        return (
            self._realtime and self.plays_until is not None and 0.0 <= self.plays_until - now <= DRY_SECONDS
        )
