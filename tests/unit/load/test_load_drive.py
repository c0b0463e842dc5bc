"""When requests are due."""

from itertools import islice

import pytest

from june_tts.load.drive import Plan, arrival_times

pytestmark = pytest.mark.unit


def test_a_constant_rate_is_evenly_spaced_from_the_first_moment_on() -> None:
    plan = Plan(requests=None, duration=1.0, arrivals="constant")
    assert list(arrival_times(4, plan)) == [0, 0.25, 0.5, 0.75]


def test_the_number_of_requests_ends_the_arrivals_too() -> None:
    assert len(list(arrival_times(100, Plan(requests=7, duration=60)))) == 7


def test_poisson_arrivals_have_the_rate_in_the_mean_and_vary() -> None:
    times = list(islice(arrival_times(10, Plan(requests=None, duration=None)), 20_000))
    gaps = [b - a for a, b in zip(times, times[1:], strict=False)]
    assert sum(gaps) / len(gaps) == pytest.approx(0.1, rel=0.03)
    # a memoryless process waits longer than its mean e^-1 of the time
    assert sum(gap > 0.1 for gap in gaps) / len(gaps) == pytest.approx(0.368, abs=0.02)


def test_equal_seeds_give_equal_arrivals() -> None:
    assert list(arrival_times(5, Plan(9, seed=1))) == list(arrival_times(5, Plan(9, seed=1)))
    assert list(arrival_times(5, Plan(9, seed=1))) != list(arrival_times(5, Plan(9, seed=2)))
