"""Rates and quotas of several web workers, kept by the process with the engines."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
from tests.hosts import SOON, Pair, pair
from tests.waiting import becomes

from june_tts.bootstrap.hosted_admission import admit_at
from june_tts.cache.memory_ledger import MemoryLedger
from june_tts.engine.host_link import HostLink
from june_tts.engine.hosted_ledger import HostedLedger
from june_tts.engine.hosting import EngineHost
from june_tts.errors import RateLimited
from june_tts.service.rates import RateMeter
from june_tts.service.terms import Terms, terms
from june_tts.service.usage import UsageBook
from june_tts.telemetry.metrics import Metrics
from june_tts.types import Budget, KeyLimits, Order

pytestmark = pytest.mark.unit

QUOTA = 2000
LIMITS = KeyLimits(characters_per_day=QUOTA, requests_per_minute=1_000_000, streams=5)
DAY = Budget("characters", "day", QUOTA)


def meter(link: HostLink, name: str) -> RateMeter:
    ledger, limits = HostedLedger(link), KeyLimits()
    book, metrics = UsageBook(None), Metrics().access
    return RateMeter(lambda _: LIMITS, limits, MemoryLedger(), ledger, metrics, owner=name, book=book)


@asynccontextmanager
async def workers(two: Pair, count: int = 2) -> AsyncIterator[list[tuple[HostLink, RateMeter]]]:
    """Each with a connection of its own."""
    async with AsyncExitStack() as stack:
        found = []
        for at in range(count):
            link = HostLink(two.path, SOON)
            await link.start()
            stack.push_async_callback(link.close)
            found.append((link, meter(link, str(at))))
        yield found


async def speak_on(meter: RateMeter, times: int, characters: int) -> int:
    spoken = 0
    for _ in range(times):
        with terms(Terms(caller="ann")), suppress(RateLimited):
            with await meter.admit(characters):
                spoken += characters
            await asyncio.sleep(0)
    return spoken


async def test_a_quota_holds_over_all_workers_to_the_character() -> None:
    async with pair() as two, workers(two) as both:
        spoken = await asyncio.gather(*(speak_on(meter, 150, 7) for _, meter in both * 2))
        for _, meter in both:
            await meter.close()  # gives back what it had leased
        rest = await speak_on(both[0][1], QUOTA, 1)
        assert sum(spoken) <= QUOTA
        assert sum(spoken) + rest == QUOTA


async def test_streams_are_counted_over_all_workers_and_given_back_by_one_that_is_gone() -> None:
    async with pair() as two, workers(two) as ((link, one), (_, other)):
        with terms(Terms(caller="ann")):
            async with AsyncExitStack() as playing:
                for meter in (one, one, one, other, other):
                    playing.enter_context(await meter.admit(10))
                with pytest.raises(RateLimited, match="5 streams at once"):
                    await other.admit(10)
                await link.close()
                await becomes(lambda: other._accounts["ann"].full_until < asyncio.get_running_loop().time())
                for _ in range(3):
                    playing.enter_context(await other.admit(10))
                with pytest.raises(RateLimited):
                    await other.admit(10)


async def test_budgets_are_taken_together_or_not_at_all_and_what_is_left_is_told() -> None:
    async with pair() as two:
        ledger = HostedLedger(two.link)
        minute = Budget("requests", "minute", 60)
        grants = await ledger.take("ann", [Order(minute, need=1), Order(DAY, need=QUOTA + 1)])
        assert grants is not None
        assert [grant.granted for grant in grants] == [0, 0] and grants[1].wait > 0
        grants = await ledger.take("ann", [Order(minute, need=1), Order(DAY, need=500, want=100)])
        assert grants is not None
        assert [grant.granted for grant in grants] == [1, 600]
        assert grants[1].left == QUOTA - 600


async def test_a_worker_goes_on_alone_while_the_host_is_away_and_a_new_host_learns_what_was_used() -> None:
    async with pair() as two, workers(two) as ((link, one), (beside, other)):
        assert await speak_on(other, 1, 300) + await speak_on(one, 1, 1200) == 1500
        await two.host.close()
        os.unlink(two.path)
        await becomes(lambda: not (link.connected or beside.connected))
        assert await speak_on(one, 5, 100) == 500
        again = EngineHost([two.engine], admit_at(two.admission), MemoryLedger())
        await again.start(two.path)
        await becomes(lambda: link.connected and beside.connected)
        for meter in (one, other):
            await meter.tick()
        assert await speak_on(other, 10, 100) == 0
        await again.close()


async def test_a_host_that_hangs_is_waited_for_once_and_then_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("june_tts.engine.hosted_ledger.ANSWER_SECONDS", 0.05)
    monkeypatch.setattr("june_tts.engine.host_link.SILENT_SECONDS", 0.2)
    async with pair() as two, workers(two, 1) as ((link, one),):
        monkeypatch.setattr("june_tts.engine.host_session.Session.send", lambda *_: None)
        assert await HostedLedger(link).take("ann", [Order(DAY, need=1)]) is None
        await becomes(lambda: link.silent_since is not None)
        monkeypatch.setattr("june_tts.engine.hosted_ledger.ANSWER_SECONDS", 60.0)
        assert await asyncio.wait_for(speak_on(one, 3, 10), 5) == 30
        assert await HostedLedger(link).stream("ann", "0", 1, 5) is None


async def test_odd_budgets_end_their_own_call_alone() -> None:
    async with pair() as two:
        ledger = HostedLedger(two.link)
        odd = Order(Budget("characters", "year", 5))  # type: ignore[arg-type]  # of set purpose
        assert await ledger.take("ann", [odd]) is None
        assert await ledger.take("ann", [Order(DAY, need=1)]) is not None
