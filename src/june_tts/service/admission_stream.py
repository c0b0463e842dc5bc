"""One playing stream as its listener hears it: what the engine's load is learned from. No clock of its own.

Told when the reader asks the engine for audio and when it gets some. A reader that takes its time (a room
plays in real time, a slow network) says nothing of the engine, nor does one whose words are still being
written: only waiting for an engine that has words counts.
"""

from dataclasses import dataclass
from typing import Literal

Sign = Literal["first", "good", "tight", "dry"]
"""Its first audio; enough ahead of its listener; hardly; too late, the listener heard silence."""

ENOUGH_SECONDS = 1.0
"""A stream that is so far ahead of its listener is safe, however old it is."""
GAIN = 0.3
"""A younger one should have gained so many seconds on its listener for every second since its first audio:
an engine that makes each stream at 1.3 times real time carries what it has, and can take no more."""
HOLD_SECONDS = 0.1
"""With less than this ahead nothing new begins beside it."""
LOST_SECONDS = 1.0
"""Silence after which holding others back cannot help this listener any more."""
WAITED_SECONDS = 0.005
"""What comes sooner was ready before it was asked for."""
CONTENT_SECONDS = 0.25
"""A reader that has asked for nothing for so long has enough, as a room has that plays what it took: its
stream costs the engine nothing now."""
REST_SECONDS = 5.0
"""After so long its stream rests: a player was paused, or a client means no good. Nobody else waits for its
place; what it costs is memory."""
READER_SECONDS = 0.25
"""What a reader that takes its time has left to play when it asks for more: two of a room's buffers."""


@dataclass(eq=False, slots=True)
class Stream:
    came: float
    alone: bool
    """Nothing else played when it began."""
    words: bool = True
    """The engine has words of it to speak."""
    fed: float | None = None
    """Since when it has had words."""
    asked: float | None = None
    """Since when its reader waits for audio."""
    gave: float | None = None
    """When its reader last got some."""
    first: float | None = None
    until: float = 0.0
    """When its listener runs out of sound."""
    paced: bool = False
    """Its reader takes audio as it plays, and has `READER_SECONDS` left when it asks, never more."""
    waited: float = 0.0
    """Seconds that its reader waited for the engine so far: what it costs others."""

    def asks(self, now: float) -> None:
        """The reader wants audio."""
        self.asked = now
        self.fed = self.came if self.fed is None and self.words else self.fed
        took = 0.0 if self.gave is None else now - self.gave
        self.paced = took > WAITED_SECONDS and self.until < now + READER_SECONDS
        if self.paced:
            self.until = now + READER_SECONDS

    def feeds(self, words: bool, now: float) -> None:
        """The engine got words, or waits for words still being written."""
        self.words = words
        if words and self.fed is None:
            self.fed = now
        elif words:
            # the silence was the writer's
            self.until = max(self.until, now + HOLD_SECONDS)

    def hears(self, seconds: float, now: float) -> Sign:
        """The reader got so much audio."""
        sign = self._sign(now)
        self.first = now if self.first is None else self.first
        self.until = max(self.until, now) + seconds
        self.waited = self.cost(now)
        self.asked, self.gave = None, now
        return sign

    def cost(self, now: float) -> float:
        """Seconds that its reader has waited for the engine, until now."""
        if self.gave is None:
            return now - self.came
        return self.waited + (0.0 if self.asked is None else now - self.asked)

    def first_seconds(self) -> float:
        """From its words to its first audio."""
        return (self.first or self.came) - (self.came if self.fed is None else self.fed)

    def rests(self, now: float) -> bool:
        """Its reader takes nothing."""
        return self._quiet(now) > REST_SECONDS

    def content(self, now: float) -> bool:
        """Its reader wants nothing now: it costs the engine nothing."""
        return self._quiet(now) > CONTENT_SECONDS

    def starving(self, now: float) -> bool:
        """Its listener is about to hear silence, and the engine could prevent that."""
        return self._within(min(HOLD_SECONDS, self._needed(now)), now)

    def tight(self, now: float) -> bool:
        """Its listener is hardly ahead of silence, and the engine could do something about it."""
        return self._within(self._needed(now), now)

    def _within(self, seconds: float, now: float) -> bool:
        """Of silence: its listener, who waits for the engine and is not lost."""
        if self.first is None or not self._waits(now):
            return False
        return -LOST_SECONDS < self.until - now < seconds

    def _quiet(self, now: float) -> float:
        """Seconds since its reader got what it has not asked beyond."""
        return 0.0 if self.gave is None or self.asked is not None else now - self.gave

    def _sign(self, now: float) -> Sign:
        if self.first is None:
            return "first"
        left = self.until - now
        if not self._waits(now) or left >= self._needed(now):
            return "good"
        return "tight" if left >= 0 else "dry"

    def _waits(self, now: float) -> bool:
        return self.words and self.asked is not None and now - self.asked > WAITED_SECONDS

    def _needed(self, now: float) -> float:
        return HOLD_SECONDS if self.paced else min(ENOUGH_SECONDS, GAIN * (now - (self.first or now)))
