"""When calls of a database that does not answer are refused, and when one may try."""

import pytest

from june_tts.errors import StoreUnavailable
from june_tts.store.breaker import FAILURES, PAUSE_SECONDS, Breaker

pytestmark = pytest.mark.unit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_breaker(clock: Clock) -> Breaker:
    made = Breaker(clock)
    for _ in range(FAILURES):
        made.enter()
        made.failed("TimeoutError", 0.0)
    return made


def test_failures_that_an_answer_interrupts_refuse_nobody(clock: Clock) -> None:
    made = Breaker(clock)
    for _ in range(10):
        for _ in range(FAILURES - 1):
            made.enter()
            made.failed("TimeoutError", 0.0)
        made.enter()
        made.answered()
    assert not made.open


def test_failures_in_a_row_refuse_the_next_call_and_say_when_to_try_again(open_breaker: Breaker) -> None:
    with pytest.raises(StoreUnavailable) as refused:
        open_breaker.enter()
    assert refused.value.retry_after == pytest.approx(PAUSE_SECONDS)
    assert open_breaker.open


def test_one_call_may_try_after_the_pause_and_the_others_may_not(clock: Clock, open_breaker: Breaker) -> None:
    clock.now += PAUSE_SECONDS
    open_breaker.enter()
    with pytest.raises(StoreUnavailable):
        open_breaker.enter()


def test_a_try_that_is_answered_lets_everybody_in(clock: Clock, open_breaker: Breaker) -> None:
    clock.now += PAUSE_SECONDS
    open_breaker.enter()
    open_breaker.answered()
    for _ in range(3):
        open_breaker.enter()
    assert not open_breaker.open


def test_a_try_that_fails_refuses_for_another_pause(clock: Clock, open_breaker: Breaker) -> None:
    clock.now += PAUSE_SECONDS
    open_breaker.enter()
    clock.now += 3.0
    open_breaker.failed("TimeoutError", 3.0)
    clock.now += PAUSE_SECONDS / 2
    with pytest.raises(StoreUnavailable):
        open_breaker.enter()


def test_a_try_whose_caller_left_is_the_next_callers(clock: Clock, open_breaker: Breaker) -> None:
    clock.now += PAUSE_SECONDS
    open_breaker.enter()
    open_breaker.left()
    open_breaker.enter()


def test_those_who_waited_behind_others_that_were_answered_say_nothing(clock: Clock) -> None:
    made = Breaker(clock)
    clock.now += 1.0
    made.answered()
    clock.now += 0.5
    for _ in range(100):
        made.failed("TimeoutError", 1.5)
    assert not made.open
    for _ in range(FAILURES):
        made.failed("TimeoutError", 0.4)
    assert made.open
