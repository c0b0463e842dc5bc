"""The meter: what is charged when, what is remembered, and what it does while the shared ledger is away."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.waiting import becomes

from june_tts.cache.memory_ledger import MemoryLedger
from june_tts.errors import Overloaded, RateLimited, Unauthorized
from june_tts.service.account import LOT
from june_tts.service.rates import RateMeter
from june_tts.service.terms import Terms, terms
from june_tts.service.usage import UsageBook
from june_tts.store.access_memory import MemoryUsageStore
from june_tts.telemetry.metrics import Metrics
from june_tts.types import Grant, KeyLimits, Order, Usage

pytestmark = pytest.mark.unit


@dataclass
class Time:
    now: float = 0.0
    start: datetime = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)

    def clock(self) -> float:
        return self.now

    def today(self) -> datetime:
        return self.start + timedelta(seconds=self.now)


@dataclass
class Far:
    """A shared ledger: in memory, counting what it is asked, sometimes away."""

    inner: MemoryLedger
    takes: int = 0
    asked_for_streams: int = 0
    away: bool = False
    held: dict[str, int] = field(default_factory=dict)

    async def take(self, key_id: str, orders: Sequence[Order]) -> Sequence[Grant] | None:
        self.takes += 1
        await asyncio.sleep(0)
        return None if self.away else self.inner.take_now(key_id, orders)

    async def stream(self, key_id: str, owner: str, streams: int, most: int) -> bool | None:
        self.asked_for_streams += 1
        await asyncio.sleep(0)
        return None if self.away else await self.inner.stream(key_id, owner, streams, most)


def meter_of(
    time: Time,
    limits: KeyLimits,
    shared: Far | None = None,
    *,
    owner: str = "me",
    book: UsageBook | None = None,
    defaults: KeyLimits | None = None,
) -> RateMeter:
    return RateMeter(
        lambda _: limits,
        defaults or KeyLimits(),
        MemoryLedger(time.clock, time.today),
        shared,
        Metrics().access,
        owner=owner,
        book=book or UsageBook(None),
        clock=time.clock,
        today=time.today,
    )


def far(time: Time) -> Far:
    return Far(MemoryLedger(time.clock, time.today))


async def say(meter: RateMeter, characters: int = 1, seconds: float = 0.0, key: str = "ann") -> None:
    with terms(Terms(caller=key)), await meter.admit(characters) as charge:
        charge.spoke(seconds)


async def accepted(meter: RateMeter, times: int, characters: int = 1) -> int:
    done = 0
    for _ in range(times):
        try:
            await say(meter, characters)
        except RateLimited:
            continue
        done += 1
    return done


async def test_a_callers_own_limits_come_before_the_defaults_and_0_is_none() -> None:
    defaults = KeyLimits(requests_per_minute=2, characters_per_day=5)
    own = meter_of(Time(), KeyLimits(requests_per_minute=4, characters_per_day=0), defaults=defaults)
    assert await accepted(own, 10, characters=100) == 4
    assert await accepted(meter_of(Time(), KeyLimits(), defaults=defaults), 10) == 2


async def test_new_defaults_apply_at_once_and_what_was_used_stays_used() -> None:
    meter = meter_of(Time(), KeyLimits(), defaults=KeyLimits(requests_per_minute=3, characters_per_day=10))
    assert await accepted(meter, 5) == 3
    meter.defaults = KeyLimits(characters_per_day=10)
    assert await accepted(meter, 10) == 7
    meter.defaults = KeyLimits()
    assert await accepted(meter, 10) == 10


async def test_the_refusal_names_the_limit_and_says_when_to_come_back() -> None:
    time = Time()
    meter = meter_of(time, KeyLimits(requests_per_minute=60, characters_per_day=100))
    with pytest.raises(RateLimited, match="100 characters per day") as refused:
        await say(meter, 101)
    assert refused.value.retry_after == 12 * 3600
    assert await accepted(meter, 60) == 60
    with pytest.raises(RateLimited, match="60 requests per minute") as refused:
        await say(meter)
    assert refused.value.retry_after == pytest.approx(1.0)
    time.now += 1.0
    await say(meter)


async def test_a_request_that_was_charged_coming_in_is_not_charged_again_when_it_speaks() -> None:
    meter = meter_of(Time(), KeyLimits(requests_per_minute=3))

    async def request() -> None:
        await meter.enter("ann")
        await say(meter)

    await asyncio.create_task(request())
    assert meter.state("ann")[0].left == 2

    async def batch() -> None:
        await meter.enter("ann")
        await asyncio.gather(say(meter), say(meter))

    await asyncio.create_task(batch())
    assert meter.state("ann")[0].left == 0
    with pytest.raises(RateLimited):
        await asyncio.create_task(request())


async def test_audio_is_charged_afterwards_and_then_nothing_more_begins() -> None:
    time = Time()
    meter = meter_of(time, KeyLimits(audio_seconds_per_minute=60))
    await say(meter, seconds=50)
    await say(meter, seconds=50)
    with pytest.raises(RateLimited) as refused:
        await say(meter)
    assert refused.value.retry_after == pytest.approx(40, abs=0.1)
    time.now += 41
    await say(meter)


async def test_words_of_a_socket_are_charged_when_they_are_known() -> None:
    meter = meter_of(Time(), KeyLimits(characters_per_day=10))
    with terms(Terms(caller="ann")), await meter.admit(0) as charge:
        charge.wrote(15)
    with pytest.raises(RateLimited):
        await say(meter, 0)


async def test_a_text_longer_than_a_minutes_characters_waits_for_a_whole_minute_and_pays_it_off() -> None:
    time = Time()
    meter = meter_of(time, KeyLimits(characters_per_minute=100))
    await say(meter, 250)
    for seconds, fits in ((60, 0), (29, 0), (2, 1)):
        time.now += seconds
        assert await accepted(meter, 1) == fits


async def test_what_found_the_server_full_is_given_back() -> None:
    meter = meter_of(Time(), KeyLimits(characters_per_day=10, requests_per_minute=1))
    for _ in range(5):
        with pytest.raises(Overloaded), terms(Terms(caller="ann")), await meter.admit(10):
            raise Overloaded
    await say(meter, 10)
    with pytest.raises(RateLimited):
        await say(meter, 10)


async def test_what_spoke_and_then_failed_is_paid() -> None:
    meter = meter_of(Time(), KeyLimits(characters_per_day=10))
    with pytest.raises(Overloaded), terms(Terms(caller="ann")), await meter.admit(10) as charge:
        charge.spoke(0.1)
        raise Overloaded
    with pytest.raises(RateLimited):
        await say(meter, 10)


@pytest.mark.parametrize("together", [False, True])
async def test_a_caller_has_so_many_streams_at_once_and_no_more(together: bool) -> None:
    time = Time()
    meter = meter_of(time, KeyLimits(streams=2), far(time) if together else None)
    with terms(Terms(caller="ann")):
        first, second = await meter.admit(1), await meter.admit(1)
        with pytest.raises(RateLimited, match="2 streams"):
            await meter.admit(1)
        with second:
            pass
        third = await meter.admit(1)
        with first, third:
            pass
    assert await accepted(meter, 5) == 5


async def test_streams_are_counted_over_replicas_and_given_back_when_they_are_not_used() -> None:
    time = Time()
    shared = far(time)
    one = meter_of(time, KeyLimits(streams=3), shared, owner="one")
    two = meter_of(time, KeyLimits(streams=3), shared, owner="two")
    with terms(Terms(caller="ann")):
        held = [await one.admit(1), await one.admit(1), await two.admit(1)]
        for meter in (one, two):
            with pytest.raises(RateLimited):
                await meter.admit(1)
        for charge in held[:2]:
            with charge:
                pass
        time.now += 1
        await one.tick()
        await one.tick()
        assert [await two.admit(1), await two.admit(1)]
        with pytest.raises(RateLimited):
            await one.admit(1)


async def test_places_that_are_not_used_any_more_are_given_back_without_a_tick() -> None:
    """Else who comes to many workers by turns is refused, though few of its streams play at once."""
    time = Time()
    shared = far(time)
    limits = KeyLimits(streams=4)
    workers = [meter_of(time, limits, shared, owner=name) for name in ("one", "two", "three")]
    running = [asyncio.create_task(worker._places.run()) for worker in workers]
    with terms(Terms(caller="ann")):
        for _ in range(3):
            for worker in workers:
                with ExitStack() as playing:
                    for _ in range(4):
                        playing.enter_context(await worker.admit(1))
                await becomes(lambda: not shared.inner._streams["ann"])
        assert shared.asked_for_streams == 9 * (4 + 1)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_nobody_begins_with_a_place_that_is_on_its_way_back() -> None:
    time = Time()
    shared = far(time)
    limits = KeyLimits(streams=1)
    one, two = (meter_of(time, limits, shared, owner=name) for name in ("one", "two"))
    with terms(Terms(caller="ann")):
        with await one.admit(1):
            pass
        await one._places.give_back()
        giving = asyncio.create_task(one._places.give_back())
        await asyncio.sleep(0)  # it has asked, and was not answered yet
        with await one.admit(1):
            await giving
            assert shared.inner._streams["ann"] == {"one": 1}
            with pytest.raises(RateLimited):
                await two.admit(1)


async def test_fast_callers_seldom_ask_the_shared_ledger() -> None:
    time = Time()
    shared = far(time)
    limits = KeyLimits(requests_per_minute=200_000, characters_per_month=100_000_000, streams=8)
    meter = meter_of(time, limits, shared)
    for _ in range(1500):
        time.now += 1 / 1500
        await say(meter, 30, seconds=2.0)
    assert shared.takes < 20
    assert shared.asked_for_streams < 5


async def test_slow_callers_are_counted_to_the_request_over_replicas() -> None:
    time = Time()
    shared = far(time)
    limits = KeyLimits(characters_per_day=20)
    meters = [meter_of(time, limits, shared, owner=name) for name in "ab"]
    done = 0
    for turn in range(40):
        time.now += 5
        done += await accepted(meters[turn % 2], 1)
        for meter in meters:
            await meter.tick()
    assert done == 20


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 40), st.floats(0, 0.4), st.booleans()),
        min_size=20,
        max_size=150,
    )
)
def test_replicas_together_never_spend_more_than_there_is(
    steps: list[tuple[int, int, float, bool]],
) -> None:
    async def run() -> None:
        time = Time()
        shared = far(time)
        quota = 1000
        meters = [meter_of(time, KeyLimits(characters_per_day=quota), shared, owner=str(n)) for n in range(3)]
        spent = 0
        for replica, characters, pause, tick in steps:
            time.now += pause
            spent += characters * await accepted(meters[replica], 1, characters)
            assert spent <= quota
            if tick:
                await meters[replica].tick()
        time.now += 3
        for meter in meters:
            await meter.tick()
        # all that was leased and not spent has come back
        left = quota - spent
        assert await accepted(meters[0], 1, left + 1) == 0
        if left > 0:
            assert await accepted(meters[0], 1, left) == 1

    asyncio.run(run())


async def test_a_refusal_is_remembered_so_that_a_flood_does_not_reach_the_ledger() -> None:
    time = Time()
    shared = far(time)
    meter = meter_of(time, KeyLimits(requests_per_minute=6), shared)
    assert await accepted(meter, 6) == 6
    with pytest.raises(RateLimited):
        await say(meter)
    asked = shared.takes
    assert await accepted(meter, 100) == 0
    assert shared.takes == asked
    time.now += 10
    await say(meter)


async def test_memory_goes_on_from_what_the_ledger_said_and_pays_back_what_it_gave() -> None:
    time = Time()
    shared = far(time)
    limits = KeyLimits(characters_per_day=100)
    meter = meter_of(time, limits, shared)
    await say(meter, 60)
    shared.away = True
    await say(meter, 30)
    assert await accepted(meter, 1, 20) == 0
    shared.away = False
    time.now += 3
    await meter.tick()
    other = meter_of(time, limits, shared, owner="other")
    assert await accepted(other, 1, 11) == 0
    assert await accepted(other, 1, 9) == 1


async def test_a_ledger_that_came_back_empty_is_told_what_was_used() -> None:
    time = Time()
    shared = far(time)
    meter = meter_of(time, KeyLimits(characters_per_day=100), shared)
    await say(meter, 80)
    shared.inner = MemoryLedger(time.clock, time.today)
    assert await accepted(meter, 1, 30) == 0
    assert await accepted(meter, 1, 10) == 1


async def test_a_restart_remembers_the_day_and_the_month() -> None:
    time, store = Time(), MemoryUsageStore()
    await store.add(
        [Usage("ann", date(2026, 5, 2), 1, 500, 3.0), Usage("ann", date(2026, 4, 30), 1, 999, 9.0)]
    )
    limits = KeyLimits(characters_per_day=100, characters_per_month=600)
    first = meter_of(time, limits, book=UsageBook(store, time.today))
    await first.start()
    await say(first, 70, seconds=1.5)
    assert await accepted(first, 1, 40) == 0
    await first.close()
    (used,) = await store.since(date(2026, 5, 6))
    assert used == Usage("ann", date(2026, 5, 6), 1, 70, 1.5)
    second = meter_of(time, limits, book=UsageBook(store, time.today))
    await second.start()
    assert await accepted(second, 1, 31) == 0
    assert await accepted(second, 1, 30) == 1


async def test_a_key_that_was_revoked_since_speaks_no_more() -> None:
    def gone(_: str) -> KeyLimits:
        raise Unauthorized("revoked")

    meter = meter_of(Time(), KeyLimits())
    await say(meter)
    meter._limits = gone
    with pytest.raises(Unauthorized):
        await say(meter)


def test_a_lot_is_a_small_part_of_a_budget() -> None:
    assert LOT <= 0.02
