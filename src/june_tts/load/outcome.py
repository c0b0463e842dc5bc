"""How one request went."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """Times are seconds. `begun` and `ended` are on the run's clock, every other time is a duration."""

    chars: int
    begun: float
    """When the request was due: latency counts from here, also where the client sent it later."""
    ended: float
    send_lag: float
    """How late the client sent it: what the measuring itself may have added."""
    error: str | None
    """The kind of failure (`http 503`, `timeout`, …); None where whole speech arrived."""
    detail: str | None
    """What the server or the network said about it, shortened."""
    ttfa: float | None
    audio_seconds: float
    gaps: tuple[float, ...]
    underruns: int
    dry: float

    @property
    def total(self) -> float:
        return self.ended - self.begun

    @property
    def rtf(self) -> float | None:
        """Time per audio second, below 1 where speech is made faster than it is heard."""
        return self.total / self.audio_seconds if self.audio_seconds else None
