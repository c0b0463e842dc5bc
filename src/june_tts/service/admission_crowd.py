"""Who keeps asking for more than there is. No clock of its own.

A queue is there to take up bursts. One that never empties makes everybody wait and serves nobody more, so a
caller whose requests find no place for much of the time, longer than a burst, waits no longer: it is told at
once. Others, who come now and then, still may wait (after CoDel, Nichols and Jacobson, and Facebook's use of
it, "Fail at Scale", ACM Queue 2015).
"""

import math
from collections import OrderedDict
from dataclasses import dataclass

CROWD_SHARE = 0.3
CALM_SHARE = 0.1
"""Of the time, that a caller's requests find no place: from so much on it is a crowd, until it is so little.
Of time and not of requests: those who come together and wait for each other once are none."""
MEAN_BURSTS = 4
"""The share is a mean over so many times as a burst may last: a crowd is one after 1.4 bursts."""
LEAST_BURST_SECONDS = 0.1
TELLS_SECONDS = 0.25
"""One that finds no place tells of no more of the time before it."""
FORGOTTEN_SECONDS = 10.0
"""After which a caller who asked for nothing begins anew."""
MOST_CALLERS = 1000


@dataclass(slots=True)
class _Luck:
    share: float
    last: float
    crowd: bool = False


class Crowd:
    def __init__(self, burst_seconds: float) -> None:
        self._mean_seconds = MEAN_BURSTS * max(burst_seconds, LEAST_BURST_SECONDS)
        self._callers: OrderedDict[str, _Luck] = OrderedDict()

    def asked(self, caller: str, waits: bool, now: float) -> None:
        """A request of the caller came; `waits`: it found no place."""
        luck = self._callers.get(caller)
        if luck is None or now - luck.last > FORGOTTEN_SECONDS:
            luck = self._callers[caller] = _Luck(0.0, now)
        told = min(now - luck.last, TELLS_SECONDS) if waits else now - luck.last
        luck.share += (1 - math.exp(-told / self._mean_seconds)) * (waits - luck.share)
        luck.last = now
        luck.crowd = luck.share > (CALM_SHARE if luck.crowd else CROWD_SHARE)
        self._callers.move_to_end(caller)
        if len(self._callers) > MOST_CALLERS:
            self._callers.popitem(last=False)

    def has(self, caller: str, now: float) -> bool:
        luck = self._callers.get(caller)
        return luck is not None and luck.crowd and now - luck.last <= FORGOTTEN_SECONDS
