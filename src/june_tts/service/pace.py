"""How fast places become free, and what that means for those who wait. No clock of its own."""

MOST_RETRY_SECONDS = 10.0
"""Nobody is sent away for longer: by then the load may be another one."""
UNKNOWN_RETRY_SECONDS = 1.0

_NEWEST = 0.1
"""Weight of the newest measurement in a mean."""


class Pace:
    def __init__(self) -> None:
        self._interval: float | None = None
        """Mean seconds between two ends while every place was taken."""
        self._hold: float | None = None
        """Mean seconds from start to end."""
        self._last: float | None = None
        """The last end, if every place was taken since."""
        self._promised = 0.0
        """When the last one who was sent away was told to come back."""

    def ended(self, held: float, busy: bool, now: float) -> None:
        """A stream ended that held its place for so many seconds; `busy`: it was one of those that kept
        others waiting."""
        self._hold = _mean(self._hold, held)
        if busy and self._last is not None:
            self._interval = _mean(self._interval, now - self._last)
        self._last = now if busy else None

    def interval(self, places: int, now: float) -> float | None:
        """Seconds from one place that becomes free to the next; None where nothing has ended yet."""
        guess = None if self._hold is None else self._hold / max(1, places)
        usual = guess if self._interval is None else self._interval
        if usual is None or self._last is None:
            return usual
        # longer ago than usual: something is stuck, and the mean does not know yet
        return max(usual, now - self._last)

    def retry_after(self, wait: float, places: int, now: float) -> float:
        """When one who is sent away should come back. Those sent away are told to come one after another, as
        fast as places become free, so that they do not all come back at once."""
        interval = self.interval(places, now)
        if interval is None:
            return UNKNOWN_RETRY_SECONDS
        self._promised = min(max(now + wait, self._promised + interval), now + MOST_RETRY_SECONDS)
        return min(self._promised - now, MOST_RETRY_SECONDS)


def _mean(old: float | None, new: float) -> float:
    return new if old is None else old + _NEWEST * (new - old)
