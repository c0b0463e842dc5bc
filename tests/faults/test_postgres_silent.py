"""PostgreSQL that does not answer, or answers slowly: callers are refused in time, and nothing piles up."""

import asyncio
from functools import partial

import pytest
from tests.faults.burst import Burst, burst_to
from tests.faults.leaning import DATABASE_SECONDS, Leaning
from tests.faults.ledger import ROUNDS, Ledger, Line
from tests.faults.traffic import Traffic, traffic_to, works

pytestmark = pytest.mark.faults

AT_ONCE = 200
NOBODY = "nobody#"
"""A voice of each caller's own: those who ask for the same one wait for the same answer."""
MARGIN_SECONDS = 2.5
"""For 200 requests on a machine that is busy with other tests."""
MOST_RSS_MB = 40.0


async def test_two_hundred_requests_into_a_black_hole_are_refused_in_time_and_later_ones_at_once(
    leaning: Leaning, ledger: Ledger
) -> None:
    line = ledger.line("PostgreSQL behind a black hole")
    async with burst_to(leaning.server.address, AT_ONCE) as burst:
        before = leaning.server.rss_mb
        for _ in range(ROUNDS or 2):
            line.rounds += 1
            leaning.database.hole()
            first = await burst.speak(NOBODY, line)
            assert first.keys() == {503}, first
            assert line.slowest_refusal_s < DATABASE_SECONDS + MARGIN_SECONDS
            later = Line("")
            await burst.speak(NOBODY, later)
            line.add(later)
            # but for the one that tries, they do not wait for what does not come
            assert _median(later) < DATABASE_SECONDS
            spoken = await burst.speak("fake", line, 20)
            assert spoken.keys() == {200}, "voices of an engine need no database"
            leaning.database.open()
            line.recovered(await works(partial(_found, burst)))
        line.rss_grown_mb = round(leaning.server.rss_mb - before, 1)
    assert line.rss_grown_mb < MOST_RSS_MB


async def test_a_slow_postgres_answers_or_refuses_in_time_and_is_used_again_when_it_is_fast(
    leaning: Leaning, ledger: Ledger
) -> None:
    line = ledger.line("PostgreSQL 100 ms away")
    async with burst_to(leaning.server.address, AT_ONCE) as burst:
        before = leaning.server.rss_mb
        for _ in range(ROUNDS or 1):
            line.rounds += 1
            leaning.database.slow(0.05)
            for _ in range(2):
                codes = await burst.speak(NOBODY, line)
                assert codes.keys() <= {404, 503}, codes
            assert line.slowest_refusal_s < DATABASE_SECONDS + MARGIN_SECONDS
            leaning.database.open()
            line.recovered(await works(partial(_found, burst)))
        line.rss_grown_mb = round(leaning.server.rss_mb - before, 1)
    assert line.rss_grown_mb < MOST_RSS_MB


async def test_connections_that_are_cut_in_mid_change_lose_nothing_that_was_acknowledged(
    leaning: Leaning, ledger: Ledger
) -> None:
    line = ledger.line("connections to PostgreSQL cut")
    async with traffic_to(leaning.server.address, line, prefix="cut") as traffic:
        for _ in range(ROUNDS or 4):
            line.rounds += 1
            async with traffic.flowing():
                await works(partial(_more, traffic, traffic.changed + 1))
                leaning.database.cut()
                await asyncio.sleep(0.1)
                leaning.database.open()
                line.recovered(await works(partial(_more, traffic, traffic.changed)))
        await traffic.check()
        assert line.lost == 0 and traffic.silent["fake"] == 0


def _median(line: Line) -> float:
    return sorted(line.refusals)[len(line.refusals) // 2]


async def _found(burst: Burst) -> bool:
    return (await burst.speak(NOBODY, Line(""), 1)).keys() == {404}


async def _more(traffic: Traffic, changed: int) -> bool:
    return traffic.changed > changed
