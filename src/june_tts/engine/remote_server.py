"""Which of several servers is asked next: least outstanding first, the unhealthy left out. No I/O."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

FIRST_PAUSE = 1.0
"""Seconds that a server is left alone after its first failure; doubled with each further one."""
LONGEST_PAUSE = 60.0


@dataclass(slots=True)
class Server:
    """One server. Healthy, or ejected until a time; once it answers a health check after that it is half
    open: one request at a time tries it, and the first that works makes it healthy."""

    address: str
    """Without a path: http://host:port."""
    outstanding: int = 0
    """Requests under way."""
    failures: int = 0
    """In a row; 0 while it is healthy."""
    ejected_until: float = 0.0
    half_open: bool = False
    why: str = ""
    """It was ejected."""
    voices: tuple[str, ...] | None = None
    """That it lists; None where it does not say."""

    def speaks(self, voice: str | None) -> bool:
        return voice is None or self.voices is None or voice in self.voices

    @property
    def available(self) -> bool:
        return not self.failures or (self.half_open and not self.outstanding)


@dataclass(slots=True)
class Servers:
    """All of them. `clock` in seconds, monotonic."""

    all: Sequence[Server]
    clock: Callable[[], float]
    _turn: int = field(default=0, init=False)

    def pick(
        self, voice: str | None, *, tried: Sequence[Server] = (), last: Server | None = None
    ) -> Server | None:
        """The next one to ask, or None.

        Args:
            voice: one that it must speak, as far as it says.
            tried: those that have failed this request.
            last: the one that spoke the piece before: kept while it is available, for the same sound.
        """
        fit = [s for s in self.all if s not in tried and s.speaks(voice) and s.available]
        if last in fit:
            return last
        if not fit:
            return None
        # equals take turns, or the first of them would get every request of a quiet hour
        self._turn += 1
        turned = [fit[(self._turn + at) % len(fit)] for at in range(len(fit))]
        return min(turned, key=lambda server: server.outstanding)

    def failed(self, server: Server, why: str) -> None:
        """Eject it for a while, twice as long as the last time."""
        now = self.clock()
        if server.failures and now < server.ejected_until:
            return  # the failures of requests that were under way together are one
        server.failures += 1
        server.half_open, server.why = False, why
        server.ejected_until = now + min(FIRST_PAUSE * 2 ** (server.failures - 1), LONGEST_PAUSE)

    def worked(self, server: Server) -> None:
        """It spoke to the end. Where it was ejected meanwhile, that says nothing of what comes after."""
        if server.half_open:
            server.failures, server.half_open, server.why = 0, False, ""

    def answered(self, server: Server) -> None:
        """A health check went well. That it can also speak, a request has to show."""
        server.half_open = server.failures > 0

    def to_check(self) -> list[Server]:
        """Those to check now. One that is speaking is not asked: the original server answers nothing else
        meanwhile, and would be ejected for doing its work."""
        now = self.clock()
        return [s for s in self.all if not s.outstanding and (not s.failures or now >= s.ejected_until)]

    def next_return(self) -> float | None:
        """Seconds until one that is ejected may be checked; None where there is none."""
        waiting = [server.ejected_until for server in self.all if server.failures and not server.half_open]
        return max(0.0, min(waiting) - self.clock()) if waiting else None
