"""Two meters on one real Redis: quotas and streams hold over both, also while Redis is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import pytest
from tests.services import RedisServer

from june_tts.cache import SharedOptions, open_shared
from june_tts.cache.memory_ledger import MemoryLedger
from june_tts.cache.shared_ledger import SharedLedger
from june_tts.errors import RateLimited
from june_tts.service.rates import RateMeter
from june_tts.service.terms import Terms, terms
from june_tts.service.usage import UsageBook
from june_tts.telemetry.metrics import Metrics
from june_tts.types import KeyLimits

pytestmark = pytest.mark.contract

QUOTA = 2000
LIMITS = KeyLimits(characters_per_day=QUOTA, requests_per_minute=1_000_000, streams=5)


@pytest.fixture
async def meters(redis: RedisServer) -> AsyncIterator[list[RateMeter]]:
    """Two replicas, each with a link to Redis of its own."""
    async with AsyncExitStack() as stack:
        opened = []
        for name in ("one", "two"):
            metrics = Metrics()
            shared = await open_shared(redis.url, SharedOptions(2.0), metrics.links)
            stack.push_async_callback(shared.close)
            ledger, book = SharedLedger(shared), UsageBook(None)
            opened.append(
                RateMeter(
                    lambda _: LIMITS,
                    KeyLimits(),
                    MemoryLedger(),
                    ledger,
                    metrics.access,
                    owner=name,
                    book=book,
                )
            )
        yield opened


def meter_of(name: str, ledger: SharedLedger, metrics: Metrics) -> RateMeter:
    limits, local, book = KeyLimits(), MemoryLedger(), UsageBook(None)
    return RateMeter(lambda _: LIMITS, limits, local, ledger, metrics.access, owner=name, book=book)


async def speak_on(meter: RateMeter, times: int, characters: int) -> int:
    spoken = 0
    for _ in range(times):
        with terms(Terms(caller="ann")), suppress(RateLimited):
            with await meter.admit(characters) as charge:
                charge.spoke(0.1)
            spoken += characters
    return spoken


async def test_a_quota_holds_over_both_to_the_character(meters: list[RateMeter]) -> None:
    spoken = await asyncio.gather(*(speak_on(meter, 150, 7) for meter in meters * 2))
    for meter in meters:
        await meter.close()
    rest = await speak_on(meters[0], QUOTA, 1)
    assert sum(spoken) <= QUOTA
    assert sum(spoken) + rest == QUOTA


async def test_the_streams_of_both_are_counted_together(meters: list[RateMeter]) -> None:
    one, two = meters
    with terms(Terms(caller="ann")):
        held = [
            await one.admit(1),
            await one.admit(1),
            await two.admit(1),
            await two.admit(1),
            await two.admit(1),
        ]
        for meter in meters:
            with pytest.raises(RateLimited, match="5 streams"):
                await meter.admit(1)
    with held[0]:
        pass
    for _ in range(2):
        await one.tick()
    await asyncio.sleep(0.11)
    with terms(Terms(caller="ann")):
        assert await two.admit(1)


async def test_while_redis_is_away_nobody_waits_and_what_is_left_is_what_was_left(
    redis: RedisServer, meters: list[RateMeter]
) -> None:
    one, two = meters
    assert await speak_on(one, 1, 1500) == 1500
    redis.stop()
    started = asyncio.get_running_loop().time()
    assert await speak_on(one, 10, 100) == 500
    assert asyncio.get_running_loop().time() - started < 2
    redis.start()
    async with asyncio.timeout(10):
        await asyncio.gather(*(answers(meter) for meter in meters))
    # it has lost everything; the one that knows nothing of that asks it first
    assert await speak_on(two, 1, 10) == 10
    await one.tick()
    assert await speak_on(two, 30, 100) == 0


async def answers(meter: RateMeter) -> None:
    """Wait until its link to Redis is up again."""
    assert meter._shared
    while await meter._shared.take("nobody", []) is None:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.05)
