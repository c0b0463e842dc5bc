"""Figures of one point out of its outcomes."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from june_tts.load.drive import Point
from june_tts.load.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Spread:
    """Nearest-rank percentiles: each is a value that was really measured."""

    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread | None":
        """None where there is nothing to rank."""
        ranked = sorted(values)
        if not ranked:
            return None
        p50, p95, p99 = (ranked[math.ceil(len(ranked) * share) - 1] for share in (0.5, 0.95, 0.99))
        return cls(p50, p95, p99, ranked[-1])


@dataclass(frozen=True, slots=True)
class Summary:
    """Times in seconds. Latency, gaps and audio are of the requests that succeeded."""

    requests: int
    succeeded: int
    errors: dict[str, int]
    """Failures by kind."""
    details: dict[str, str]
    """For each kind of failure what the first of them said."""
    ttfa: Spread | None
    total: Spread | None
    gaps: Spread | None
    rtf: Spread | None
    underruns: int
    underrun_requests: int
    """How many listeners heard at least one."""
    dry_seconds: float
    audio_seconds: float
    wall_seconds: float
    """From the first request due to the last end."""
    audio_per_second: float
    requests_per_second: float
    send_lag_max: float
    """How late the client itself was at worst."""


@dataclass(frozen=True, slots=True)
class Result:
    """A point, what happened at it and the client's share of the work."""

    point: Point
    outcomes: tuple[Outcome, ...]
    client_cpu_seconds: float

    @property
    def summary(self) -> Summary:
        return summarise(self.outcomes)


def summarise(outcomes: Sequence[Outcome]) -> Summary:
    """Aggregate the outcomes of one point. Audio of failed requests counts for nothing."""
    good = [o for o in outcomes if o.error is None]
    bad = [(o.error, o.detail or "") for o in outcomes if o.error is not None]
    wall = max(o.ended for o in outcomes) - min(o.begun for o in outcomes) if outcomes else 0.0
    audio = sum(o.audio_seconds for o in good)
    return Summary(
        requests=len(outcomes),
        succeeded=len(good),
        errors=dict(Counter(kind for kind, _ in bad).most_common()),
        details=dict(reversed(bad)),
        ttfa=Spread.of(o.ttfa for o in good if o.ttfa is not None),
        total=Spread.of(o.total for o in good),
        gaps=Spread.of(gap for o in good for gap in o.gaps),
        rtf=Spread.of(o.rtf for o in good if o.rtf is not None),
        underruns=sum(o.underruns for o in good),
        underrun_requests=sum(o.underruns > 0 for o in good),
        dry_seconds=sum(o.dry for o in good),
        audio_seconds=audio,
        wall_seconds=wall,
        audio_per_second=audio / wall if wall > 0 else 0.0,
        requests_per_second=len(good) / wall if wall > 0 else 0.0,
        send_lag_max=max((o.send_lag for o in outcomes), default=0.0),
    )
