"""Who asks for more than there is for longer than a burst lasts. No clock of its own.

A queue is there to take up bursts. One that never empties makes everybody wait and serves nobody more, so a
caller who has found every place taken again and again for longer than a burst no longer waits: it is told at
once. Others, who come now and then, still may (after CoDel, Nichols and Jacobson, and Facebook's use of it,
"Fail at Scale", ACM Queue 2015).
"""

from collections import OrderedDict
from dataclasses import dataclass

CALM_SECONDS = 1.0
"""A caller who has found places for so long is out of the crowd."""
MOST_CALLERS = 1000


@dataclass(slots=True)
class _Press:
    since: float
    last: float


class Crowd:
    def __init__(self, burst_seconds: float) -> None:
        self._burst_seconds = burst_seconds
        self._found: OrderedDict[str, _Press] = OrderedDict()

    def met(self, caller: str, now: float) -> None:
        """A request of the caller found every place taken."""
        press = self._found.get(caller)
        if press is None or now - press.last > CALM_SECONDS:
            press = self._found[caller] = _Press(now, now)
        press.last = now
        self._found.move_to_end(caller)
        if len(self._found) > MOST_CALLERS:
            self._found.popitem(last=False)

    def lasting(self, caller: str, now: float) -> bool:
        """Whether that has gone on for longer than a burst."""
        press = self._found.get(caller)
        if press is None or now - press.last > CALM_SECONDS:
            return False
        return press.last - press.since > self._burst_seconds
