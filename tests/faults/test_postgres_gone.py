"""PostgreSQL crashes and comes back, under traffic: speech goes on, changes are refused, nothing is lost."""

import asyncio

import pytest
from tests.faults.leaning import Leaning
from tests.faults.ledger import ROUNDS, Ledger, Line
from tests.faults.traffic import Traffic, traffic_to, works

pytestmark = pytest.mark.faults

GONE_SECONDS = 0.3


async def test_voices_keep_speaking_and_no_acknowledged_change_is_lost(
    leaning: Leaning, ledger: Ledger
) -> None:
    line = ledger.line("PostgreSQL crashed and started again")
    async with traffic_to(leaning.server.address, line, voices=("fake", "ann"), prefix="gone") as traffic:
        await traffic.upload("ann", 0)
        await traffic.speak("ann")
        for _ in range(ROUNDS or 2):
            await _round(leaning, traffic, line)
        await traffic.check()
        assert line.lost == 0 and line.refused
        assert traffic.silent == {"fake": 0, "ann": 0}, "voices that are known speak on"
        assert min(traffic.spoken.values()) > line.rounds


async def _round(leaning: Leaning, traffic: Traffic, line: Line) -> None:
    line.rounds += 1
    async with traffic.flowing():
        changed = traffic.changed
        await works(lambda: _more(traffic, changed + 2))
        await asyncio.to_thread(leaning.postgres.stop, "immediate")
        refused = line.refused
        await asyncio.sleep(GONE_SECONDS)
        # a recording may be judged for longer than that
        await works(lambda: _refused(line, refused))
        await asyncio.to_thread(leaning.postgres.start)
        changed = traffic.changed
        line.recovered(await works(lambda: _more(traffic, changed)))


async def _refused(line: Line, before: int) -> bool:
    return line.refused > before


async def _more(traffic: Traffic, changed: int) -> bool:
    return traffic.changed > changed
