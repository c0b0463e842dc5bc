"""Redis goes, falls silent and slows down under traffic: no caller has an error, or waits for it."""

import asyncio
import re
from collections.abc import Callable
from functools import partial

import pytest
from tests.faults.leaning import Leaning
from tests.faults.ledger import ROUNDS, Ledger
from tests.faults.traffic import traffic_to, works

pytestmark = pytest.mark.faults

AWAY_SECONDS = 0.6
SLOW_SECONDS = 0.3
"""Three times as long as a call to it may take."""


async def _away(
    leaning: Leaning, ledger: Ledger, name: str, harm: Callable[[], None], mend: Callable[[], None]
) -> None:
    line, voices = ledger.line(name), ("fake", "ann")
    async with traffic_to(leaning.server.address, line, voices=voices, prefix=_prefix(name)) as traffic:
        await traffic.upload("ann", 0)
        await traffic.speak("ann")
        for _ in range(ROUNDS or 1):
            line.rounds += 1
            lines, back = _outages(leaning), leaning.server.log().count(BACK)
            async with traffic.flowing():
                await asyncio.to_thread(harm)
                await works(partial(_more, lambda: _outages(leaning), lines))
                spoken = traffic.spoken["ann"]
                await asyncio.sleep(AWAY_SECONDS)
                assert traffic.spoken["ann"] > spoken
                await asyncio.to_thread(mend)
                line.recovered(await works(partial(_more, lambda: leaning.server.log().count(BACK), back)))
            assert _outages(leaning) == lines + 1, "an outage is one line in the log"
        await traffic.check()
        assert line.refused == 0 and traffic.silent == {"fake": 0, "ann": 0}, traffic.refusal
        assert line.lost == 0


BACK = "a part is back"


def _outages(leaning: Leaning) -> int:
    return len(re.findall("a part is away .*part=redis", leaning.server.log()))


async def _more(count: Callable[[], int], than: int) -> bool:
    return count() > than


def _prefix(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower())


async def test_a_redis_that_is_killed_is_done_without_and_used_again(
    leaning: Leaning, ledger: Ledger
) -> None:
    redis = leaning.redis_server
    await _away(leaning, ledger, "Redis killed and started again", redis.kill, redis.start)


async def test_a_redis_behind_a_black_hole_is_not_waited_for(leaning: Leaning, ledger: Ledger) -> None:
    await _away(leaning, ledger, "Redis behind a black hole", leaning.redis.hole, leaning.redis.open)


async def test_a_slow_redis_is_not_waited_for(leaning: Leaning, ledger: Ledger) -> None:
    slow = partial(leaning.redis.slow, SLOW_SECONDS)
    await _away(leaning, ledger, "Redis 600 ms away", slow, leaning.redis.open)


async def test_a_frozen_redis_is_not_waited_for(leaning: Leaning, ledger: Ledger) -> None:
    redis = leaning.redis_server
    await _away(leaning, ledger, "Redis frozen (SIGSTOP)", redis.pause, redis.resume)
