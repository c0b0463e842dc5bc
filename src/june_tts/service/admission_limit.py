"""How many streams an engine carries, learned from what its listeners hear. No clock of its own.

Two limits, as there are two ways to ask too much. How many may *play* is told by listeners who run out of
sound, or nearly do. How many may *begin* at a time is told by first audio that comes late: those that begin
wait for each other in the engine, while those that play and are ahead stand back.

Each is lowered by a share at most once in `WINDOW_SECONDS`, to below what there was, where that was too much
for two of them in a row: one may be the machine's own pause, which a smaller limit would not have prevented.
It is raised by one where it kept somebody waiting and all was well. Both begin at the most there may be: a
cold server knows no reason to refuse anybody.
"""

from collections import Counter

from june_tts.service.admission_stream import Sign

WINDOW_SECONDS = 0.5
AFTER_SILENCE = 0.7
AFTER_TIGHT = 0.9
AFTER_LATE = 0.8
"""What is left of a limit when listeners heard silence, were hardly ahead of it, or first audio was late."""
TIGHT_SHARE = 0.2
"""Of what listeners heard in a window: one that was tight among many is chance."""
LATE = 2.0
"""First audio is late, in the mean, that takes so many times an unloaded engine's: a stream beside others has
one core where alone it has all, and waits for a model run to end before its own can begin."""
LEAST_BEGINNING = 2
"""One that begins while another's first audio is made: the engine need never wait for us."""

_NEWEST = 0.2
"""Weight of the newest measurement in a mean."""


class Limit:
    def __init__(self, most: int, least: int) -> None:
        self._most = most
        self._least = min(least, most)
        self._value = float(most)
        self._peak = 0
        self._wanted = False
        self._bad = False
        """The window before was."""
        self._lasting = 0
        """So many were there when the window began."""
        self.proven = 0
        """The most that were there for a window in which all was well."""

    @property
    def value(self) -> int:
        return int(self._value)

    def counts(self, now_there: int) -> None:
        """So many are there."""
        self._peak = max(self._peak, now_there)

    def wanted(self) -> None:
        """It kept somebody waiting."""
        self._wanted = True

    def turn(self, share: float, now_there: int) -> None:
        """A window is over. `share`: what to leave of it; 1 where all was well."""
        # Where more are there than it allows, it was lowered a moment ago, and that has not taken effect yet.
        # Else of what there was: a limit that nobody came near says nothing of what can be carried.
        if share < 1 and self._bad and 1 < self._peak <= self._value + 1:
            self._value = max(self._least, min(self._value, self._peak) * share)
            self.proven = min(self.proven, self.value)
        elif share == 1 and self._wanted:
            self._value = min(self._most, self._value + 1)
        if share == 1:
            self.proven = max(self.proven, min(self._lasting, now_there))
        self._peak = self._lasting = now_there
        self._wanted, self._bad = False, share < 1


class Learned:
    """Of one engine."""

    def __init__(self, most: int) -> None:
        self.playing = Limit(most, 1)
        self.beginning = Limit(most, LEAST_BEGINNING)
        self.unloaded: float | None = None
        """Seconds to first audio of a stream that plays alone."""
        self.first: float | None = None
        """Seconds to first audio lately, whatever else plays."""
        self._began: float | None = None
        self._signs: Counter[Sign] = Counter()

    def counts(self, playing: int, beginning: int) -> None:
        """So many play now, those that begin among them."""
        self.playing.counts(playing)
        self.beginning.counts(beginning)

    def first_audio(self, seconds: float, alone: bool) -> None:
        self.first = _mean(self.first, seconds)
        if alone:
            self.unloaded = _mean(self.unloaded, seconds)
        elif self.unloaded is None or seconds < self.unloaded:
            # before any has played alone, the fastest is nearest to that
            self.unloaded = seconds

    def heard(self, sign: Sign, now: float) -> bool:
        """A listener heard audio. Returns whether it is time to `turn`."""
        self._signs[sign] += 1
        if self._began is None:
            self._began = now
        return now - self._began >= WINDOW_SECONDS

    def turn(self, playing: int, beginning: int, now: float) -> None:
        """A window is over, and so many play and begin."""
        self.playing.turn(self._share(), playing)
        self.beginning.turn(AFTER_LATE if "first" in self._signs and self.late else 1.0, beginning)
        self._began = now
        self._signs.clear()

    @property
    def late(self) -> bool:
        """Whether first audio comes late now."""
        return self.first is not None and self.unloaded is not None and self.first > LATE * self.unloaded

    def _share(self) -> float:
        if "dry" in self._signs:
            return AFTER_SILENCE
        return AFTER_TIGHT if self._signs["tight"] > TIGHT_SHARE * self._signs.total() else 1.0


def _mean(old: float | None, new: float) -> float:
    return new if old is None else old + _NEWEST * (new - old)
