"""When a part is given up for away, and when it is asked again."""

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from june_tts.cache.breaker import FAILURES, Breaker
from june_tts.telemetry.metrics.links import LinkMetrics

pytestmark = pytest.mark.unit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(registry: CollectorRegistry, clock: Clock) -> Breaker:
    return Breaker("redis", LinkMetrics(registry), clock)


def test_a_failure_now_and_then_is_no_outage(breaker: Breaker) -> None:
    for _ in range(10):
        for _ in range(FAILURES - 1):
            breaker.failed("TimeoutError")
        breaker.worked()
    assert breaker.closed


def test_failures_in_a_row_open_it_with_one_line_and_a_count(
    breaker: Breaker, registry: CollectorRegistry
) -> None:
    with capture_logs() as lines:
        for _ in range(FAILURES + 5):
            breaker.failed("TimeoutError")
    assert not breaker.closed
    assert breaker.open_since == 100.0
    assert [(line["part"], line["reason"]) for line in lines] == [("redis", "TimeoutError")]
    assert registry.get_sample_value("tts_breaker_openings_total", {"part": "redis"}) == 1


def test_only_a_probe_closes_it_and_the_line_tells_how_long_it_was(breaker: Breaker, clock: Clock) -> None:
    for _ in range(FAILURES):
        breaker.failed("TimeoutError")
    breaker.worked()  # begun before the outage
    assert not breaker.closed
    clock.now += 7.25
    with capture_logs() as lines:
        breaker.probed("TimeoutError")
        assert not breaker.closed
        breaker.probed(None)
        breaker.probed(None)
    assert breaker.closed
    assert [line["seconds"] for line in lines] == [7.2]


def test_a_probe_that_worked_forgives_the_failures_before_it(breaker: Breaker) -> None:
    for _ in range(FAILURES - 1):
        breaker.probed("TimeoutError")
    breaker.probed(None)
    breaker.failed("TimeoutError")
    assert breaker.closed
