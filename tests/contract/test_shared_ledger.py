"""The ledger in Redis does what the one in memory does, step by step, and gives whole to all who share it."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from tests.services import RedisServer

from june_tts.cache import Shared, SharedOptions, open_shared
from june_tts.cache.memory_ledger import MemoryLedger
from june_tts.cache.shared_ledger import SharedLedger
from june_tts.telemetry.metrics import Metrics
from june_tts.types import Budget, Grant, Order

pytestmark = pytest.mark.contract

BUDGETS = (
    Budget("requests", "minute", 60),
    Budget("characters", "minute", 7),
    Budget("characters", "day", 500),
    Budget("audio_seconds", "month", 4000),
)


@pytest.fixture
async def shared(redis: RedisServer) -> AsyncIterator[Shared]:
    opened = await open_shared(redis.url, SharedOptions(2.0), Metrics().links)
    yield opened
    await opened.close()


def drawn(draw: random.Random) -> list[Order]:
    return [
        Order(
            budget,
            charge=draw.choice((0.0, 0.0, draw.uniform(-5, 20))),
            need=draw.choice((0.0, 1.0, draw.uniform(0.001, 12))),
            want=draw.choice((0.0, draw.uniform(0, 30))),
            known=draw.choice((0.0, 30.0)),
            certain=draw.random() < 0.1,
        )
        for budget in draw.sample(BUDGETS, draw.randint(1, len(BUDGETS)))
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_redis_gives_what_memory_gives(shared: Shared, seed: int) -> None:
    draw, now = random.Random(seed), 1_000_000.0
    began, start = now, datetime(2026, 2, 27, 22, 0, tzinfo=UTC)

    def clock() -> float:
        return now

    def today() -> datetime:
        return start + timedelta(seconds=now - began)

    memory, redis = MemoryLedger(clock, today), SharedLedger(shared, clock, today)
    refused = 0
    for _ in range(400):
        now += draw.choice((0.0, 0.5, draw.uniform(0, 20), draw.uniform(0, 300)))
        key_id, orders = draw.choice(("ann", "ben")), drawn(draw)
        wanted = await memory.take(key_id, orders)
        got = await redis.take(key_id, orders)
        assert got is not None
        assert flat(got) == pytest.approx(flat(wanted), abs=1e-3)
        refused += any(grant.wait for grant in got)
    assert 40 < refused < 360


def flat(grants: list[Grant] | tuple[Grant, ...] | object) -> list[float]:
    assert isinstance(grants, list)
    return [number for grant in grants for number in (grant.granted, grant.left, grant.wait)]


async def test_takes_at_once_are_each_whole(shared: Shared) -> None:
    one, two = SharedLedger(shared), SharedLedger(shared)
    daily = Budget("characters", "day", 100)
    takes = [ledger.take("ann", [Order(daily, need=3)]) for ledger in (one, two) * 30]
    grants = [found[0] for found in await asyncio.gather(*takes) if found]
    assert len(grants) == 60
    assert sum(grant.granted for grant in grants) == 99


async def test_without_redis_there_is_no_answer(redis: RedisServer, shared: Shared) -> None:
    ledger = SharedLedger(shared)
    redis.stop()
    assert await ledger.take("ann", [Order(BUDGETS[0], need=1)]) is None
    assert await ledger.stream("ann", "me", 1, 1) is None


async def test_streams_are_counted_over_all_owners(shared: Shared) -> None:
    ledger = SharedLedger(shared)
    assert await ledger.stream("ann", "one", 2, 3)
    assert await ledger.stream("ann", "two", 1, 3)
    assert await ledger.stream("ann", "two", 2, 3) is False
    assert await ledger.stream("ann", "one", 0, 3)
    assert await ledger.stream("ann", "two", 3, 3)
    assert await ledger.stream("ben", "one", 3, 3)


async def test_an_owner_that_was_killed_holds_no_streams_for_long(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = SharedLedger(shared)
    monkeypatch.setattr("june_tts.cache.shared_ledger.STREAM_SECONDS", 0.2)
    assert await ledger.stream("ann", "killed", 3, 3)
    assert await ledger.stream("ann", "other", 1, 3) is False
    await asyncio.sleep(0.25)
    assert await ledger.stream("ann", "other", 3, 3)
