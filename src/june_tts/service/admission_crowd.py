"""Who keeps asking for more than there is. No clock of its own.

A queue is there to take up bursts. One that never empties makes everybody wait and serves nobody more, so a
caller many of whose requests find no place, for longer than a burst, waits no longer: it is told at once.
Others, who come now and then, still may wait (after CoDel, Nichols and Jacobson, and Facebook's use of it,
"Fail at Scale", ACM Queue 2015).
"""

from collections import OrderedDict
from dataclasses import dataclass

CROWD_SHARE = 0.3
CALM_SHARE = 0.1
"""Of a caller's requests that found no place: from so many on it is a crowd, until there are so few."""
NEWEST = 1 / 16
"""Weight of the newest request: six in a row without a place are a crowd."""
FORGOTTEN_SECONDS = 10.0
"""After which a caller who asked for nothing begins anew."""
MOST_CALLERS = 1000


@dataclass(slots=True)
class _Luck:
    share: float
    last: float
    since: float | None = None
    """When the share became too high."""


class Crowd:
    def __init__(self, burst_seconds: float) -> None:
        self._burst_seconds = burst_seconds
        self._callers: OrderedDict[str, _Luck] = OrderedDict()

    def asked(self, caller: str, waits: bool, now: float) -> None:
        """A request of the caller came; `waits`: it found no place."""
        luck = self._callers.get(caller)
        if luck is None or now - luck.last > FORGOTTEN_SECONDS:
            luck = self._callers[caller] = _Luck(0.0, now)
        luck.share += NEWEST * (waits - luck.share)
        luck.last = now
        if luck.share < CALM_SHARE:
            luck.since = None
        elif luck.share > CROWD_SHARE and luck.since is None:
            luck.since = now
        self._callers.move_to_end(caller)
        if len(self._callers) > MOST_CALLERS:
            self._callers.popitem(last=False)

    def has(self, caller: str, now: float) -> bool:
        luck = self._callers.get(caller)
        return luck is not None and luck.since is not None and now - luck.since > self._burst_seconds
