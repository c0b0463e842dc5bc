"""How many streams an engine carries, learned from what its listeners hear. No clock of its own.

Additive increase, multiplicative decrease, once in `WINDOW_SECONDS`: listeners who heard silence, or are
hardly ahead of it, or first audio that comes late against an unloaded engine's, make the limit smaller than
what played then; a limit that kept somebody waiting while all was well grows by one. It begins at the most
there may be, as a cold server knows no reason to refuse anybody.
"""

from june_tts.service.admission_stream import Sign

WINDOW_SECONDS = 0.5
AFTER_SILENCE = 0.7
AFTER_TIGHT = 0.9
"""What is left of the limit when listeners heard silence, or first audio was late, or streams were tight."""
LATE = 3.0
"""First audio that takes so many times an unloaded engine's is late, "late" being a mean over a few streams:
beside others a stream has one core where alone it has all."""

_NEWEST = 0.2
"""Weight of the newest measurement in a mean."""


class Limit:
    def __init__(self, most: int) -> None:
        self._most = most
        self._value = float(most)
        self.unloaded: float | None = None
        """Seconds to first audio of a stream that plays alone."""
        self.first: float | None = None
        """Seconds to first audio lately, whatever else plays."""
        self._began: float | None = None
        self._signs: set[Sign] = set()
        self._wanted = False
        self._peak = 0

    @property
    def value(self) -> int:
        return max(1, int(self._value))

    def began(self, active: int) -> None:
        """A stream began, and so many play now."""
        self._peak = max(self._peak, active)

    def wanted(self) -> None:
        """Somebody found every place taken."""
        self._wanted = True

    def first_audio(self, seconds: float, alone: bool) -> None:
        self.first = _mean(self.first, seconds)
        if alone:
            self.unloaded = _mean(self.unloaded, seconds)
        elif self.unloaded is None or seconds < self.unloaded:
            # before any has played alone, the fastest is nearest to that
            self.unloaded = seconds

    def heard(self, sign: Sign, active: int, now: float) -> None:
        """A listener heard audio; so many play now."""
        self._signs.add(sign)
        self._peak = max(self._peak, active)
        if self._began is None:
            self._began = now
        if now - self._began >= WINDOW_SECONDS:
            self._turn(now, active)

    @property
    def late(self) -> bool:
        return self.first is not None and self.unloaded is not None and self.first > LATE * self.unloaded

    def _turn(self, now: float, active: int) -> None:
        if "dry" in self._signs:
            self._shrink(AFTER_SILENCE)
        elif "tight" in self._signs or ("first" in self._signs and self.late):
            self._shrink(AFTER_TIGHT)
        elif self._wanted:
            self._value = min(self._most, self._value + 1)
        self._began, self._peak, self._wanted = now, active, False
        self._signs.clear()

    def _shrink(self, share: float) -> None:
        # Where more play than it allows, it was lowered a moment ago, and that has not taken effect yet.
        # Else of what played: a limit that nobody came near says nothing of what can be carried.
        if 1 < self._peak <= self._value + 1:
            self._value = max(1.0, min(self._value, self._peak) * share)


def _mean(old: float | None, new: float) -> float:
    return new if old is None else old + _NEWEST * (new - old)
