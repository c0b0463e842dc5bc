"""Outcomes as the tests need them."""

from june_tts.load import Outcome, Point, Result


def outcome(
    *,
    begun: float = 0.0,
    ended: float = 1.0,
    ttfa: float | None = 0.1,
    audio: float = 2.0,
    error: str | None = None,
    detail: str | None = None,
    gaps: tuple[float, ...] = (),
    dry: float = 0.0,
    underruns: int = 0,
) -> Outcome:
    return Outcome(20, begun, ended, 0.0, error, detail, ttfa, audio, gaps, underruns, dry)


def result(*outcomes: Outcome, chars: int = 20, concurrency: int = 1) -> Result:
    return Result(Point(chars, concurrency=concurrency), outcomes, client_cpu_seconds=0.01)
