"""The ledger in memory against a slow model of what rates and quotas mean."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from june_tts.cache.memory_ledger import MemoryLedger
from june_tts.types import Budget, Order

pytestmark = pytest.mark.unit

RATE = Budget("requests", "minute", 60)
DAILY = Budget("characters", "day", 100)
MONTHLY = Budget("characters", "month", 250)
NEW_YEAR = datetime(2025, 12, 31, 23, 59, 0, tzinfo=UTC)


@dataclass
class Time:
    now: float = 1000.0
    start: datetime = NEW_YEAR
    began: float = field(default=1000.0)

    def clock(self) -> float:
        return self.now

    def today(self) -> datetime:
        return self.start + timedelta(seconds=self.now - self.began)


class Bucket:
    """The model of a rate: a bucket that is filled a second at a time, and emptied by what is taken."""

    def __init__(self, budget: Budget, now: float) -> None:
        self.budget, self.level, self.now = budget, float(budget.limit), now

    def at(self, now: float) -> float:
        self.level = min(self.budget.limit, self.level + (now - self.now) * self.budget.limit / 60)
        self.now = now
        return self.level

    def take(self, need: float, now: float) -> bool:
        if self.at(now) < min(need, self.budget.limit) - 1e-6:
            return False
        self.level -= need
        return True


steps = st.lists(
    st.tuples(st.floats(0, 90), st.floats(0.001, 150, allow_subnormal=False)), min_size=1, max_size=60
)


@given(steps)
def test_a_rate_is_a_bucket_that_fills_steadily(steps: list[tuple[float, float]]) -> None:
    time = Time()
    ledger, model = MemoryLedger(time.clock, time.today), Bucket(RATE, time.now)
    for pause, need in steps:
        time.now += pause
        fits = model.take(need, time.now)
        (grant,) = ledger.take_now("ann", [Order(RATE, need=need)])
        assert (grant.wait == 0.0) is fits
        assert grant.granted == (need if fits else 0.0)
        assert grant.left == pytest.approx(model.level, abs=1e-5)
        assert ledger.left("ann", RATE) == pytest.approx(model.level, abs=1e-5)


@given(steps)
def test_who_waits_as_long_as_told_is_let_in(steps: list[tuple[float, float]]) -> None:
    time = Time()
    ledger = MemoryLedger(time.clock, time.today)
    for pause, need in steps:
        time.now += pause
        (grant,) = ledger.take_now("ann", [Order(RATE, need=need)])
        if grant.wait:
            time.now += grant.wait - 0.01
            assert ledger.take_now("ann", [Order(RATE, need=need)])[0].wait
            time.now += 0.02
            assert not ledger.take_now("ann", [Order(RATE, need=need)])[0].wait


@given(steps)
def test_a_quota_counts_up_to_its_limit_and_begins_anew(steps: list[tuple[float, float]]) -> None:
    time = Time()
    ledger = MemoryLedger(time.clock, time.today)
    used = {"day": 0.0, "month": 0.0}
    period = {"day": "2025-12-31", "month": "2025-12"}
    for pause, need in steps:
        time.now += pause
        for budget in (DAILY, MONTHLY):
            if budget.period(time.today()) != period[budget.window]:
                period[budget.window], used[budget.window] = budget.period(time.today()), 0.0
        fits = used["day"] + need <= 100 + 1e-6 and used["month"] + need <= 250 + 1e-6
        grants = ledger.take_now("ann", [Order(DAILY, need=need), Order(MONTHLY, need=need)])
        assert any(grant.wait for grant in grants) is not fits
        for grant, window in zip(grants, used, strict=True):
            used[window] += need if fits else 0.0
            assert grant.left == pytest.approx(
                DAILY.limit - used["day"] if window == "day" else 250 - used["month"]
            )


def test_one_need_that_does_not_fit_takes_nothing_of_the_others() -> None:
    ledger = MemoryLedger()
    orders = [Order(RATE, need=1), Order(DAILY, need=101)]
    rate, daily = ledger.take_now("ann", orders)
    assert (rate.granted, daily.granted) == (0, 0)
    assert (rate.wait, daily.wait > 0) == (0, True)
    assert ledger.left("ann", RATE) == 60


def test_what_is_charged_is_taken_though_nothing_is_left() -> None:
    ledger = MemoryLedger()
    (grant,) = ledger.take_now("ann", [Order(DAILY, charge=150, need=1)])
    assert (grant.granted, grant.left) == (0, -50)
    (back,) = ledger.take_now("ann", [Order(DAILY, charge=-60)])
    assert back.left == 10


def test_of_what_is_wanted_as_much_is_given_as_there_is() -> None:
    ledger = MemoryLedger()
    assert ledger.take_now("ann", [Order(DAILY, need=10, want=20)])[0].granted == 30
    assert ledger.take_now("ann", [Order(DAILY, need=10, want=500)])[0].granted == 70
    assert ledger.take_now("ann", [Order(DAILY, need=1, want=5)])[0].granted == 0


def test_a_ledger_that_knows_nothing_begins_with_what_is_known() -> None:
    ledger = MemoryLedger()
    assert ledger.take_now("ann", [Order(DAILY, need=1, known=40)])[0].left == 59
    assert ledger.take_now("ann", [Order(DAILY, need=1, known=40)])[0].left == 58


def test_callers_have_budgets_of_their_own() -> None:
    ledger = MemoryLedger()
    ledger.take_now("ann", [Order(RATE, need=60)])
    assert ledger.take_now("ann", [Order(RATE, need=1)])[0].wait
    assert not ledger.take_now("ben", [Order(RATE, need=1)])[0].wait


@pytest.mark.parametrize(
    ("now", "day", "month"),
    [
        ("2026-02-28T23:00:00", 3600, 3600),
        ("2026-01-30T00:00:00", 86_400, 2 * 86_400),
        ("2026-12-31T12:00:00", 43_200, 43_200),
        ("2028-02-01T00:00:00", 86_400, 29 * 86_400),
    ],
)
def test_days_and_months_end_as_in_the_calendar(now: str, day: float, month: float) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert (DAILY.rest(moment), MONTHLY.rest(moment)) == (day, month)


async def test_streams_are_counted_over_all_owners() -> None:
    ledger = MemoryLedger()
    assert await ledger.stream("ann", "one", 2, 3)
    assert await ledger.stream("ann", "two", 1, 3)
    assert not await ledger.stream("ann", "two", 2, 3)
    assert await ledger.stream("ann", "one", 1, 3)
    assert await ledger.stream("ann", "two", 2, 3)
    assert await ledger.stream("ben", "one", 3, 3)
