"""Goes through the points of a benchmark and keeps what has been measured, also when it is interrupted."""

import time
from collections.abc import Sequence
from typing import Protocol

from june_tts.load.client import Client
from june_tts.load.drive import Plan, Point, run_point
from june_tts.load.outcome import Outcome
from june_tts.load.summary import Result
from june_tts.load.texts import Texts


class Watcher(Protocol):
    """Told how far the run is."""

    def point(self, point: Point) -> None: ...

    def outcome(self, outcome: Outcome) -> None: ...


async def run_points(
    client: Client,
    points: Sequence[Point],
    plan: Plan,
    texts: Texts,
    results: list[Result],
    *,
    warmup: int,
    watcher: Watcher,
) -> None:
    """Measure one point after the other and append each to `results`.

    When it is cancelled, the point under way is appended with the requests that had ended.

    Args:
        warmup: requests before the first point, which count for nothing.
    """
    for _ in range(warmup):
        await client.speak(texts.next(points[0].chars))
    for point in points:
        watcher.point(point)
        await _run_one(client, point, plan, texts, results, watcher)


async def _run_one(
    client: Client, point: Point, plan: Plan, texts: Texts, results: list[Result], watcher: Watcher
) -> None:
    outcomes: list[Outcome] = []

    def record(outcome: Outcome) -> None:
        outcomes.append(outcome)
        watcher.outcome(outcome)

    cpu = time.process_time()
    try:
        await run_point(client, point, plan, texts.next, record)
    finally:
        if outcomes:
            results.append(Result(point, tuple(outcomes), time.process_time() - cpu))
