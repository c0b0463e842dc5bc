"""How often voices are spoken: counted without a wait, written in batches, lost by no outage."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from tests.live_server import becomes

from june_tts.errors import StoreUnavailable
from june_tts.service.voice_uses import MOST_VOICES, VoiceUses
from june_tts.types import VoiceUse

pytestmark = pytest.mark.unit


class Store:
    def __init__(self) -> None:
        self.kept: Counter[str] = Counter()
        self.batches = 0
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def add(self, counts: Mapping[str, int], at: datetime) -> None:
        await self.gate.wait()
        if self.away:
            raise StoreUnavailable
        self.batches += 1
        self.kept.update(counts)

    async def all(self) -> Mapping[str, VoiceUse]:
        return {name: VoiceUse(uses, datetime(2026, 1, 1, tzinfo=UTC)) for name, uses in self.kept.items()}


async def test_what_was_counted_is_written_in_one_batch_every_few_seconds() -> None:
    store = Store()
    uses = VoiceUses(store, flush_seconds=0.01)
    for voice in ("ada", "joe", "ada"):
        uses.count(voice)
    flushing = asyncio.create_task(uses.run())
    await becomes(lambda: store.kept == {"ada": 2, "joe": 1})
    await asyncio.sleep(0.03)
    assert store.batches == 1
    flushing.cancel()


async def test_what_was_counted_while_the_library_was_away_is_written_later() -> None:
    store = Store()
    uses = VoiceUses(store)
    store.away = True
    uses.count("ada")
    await uses.flush()
    uses.count("ada")
    store.away = False
    await uses.close()
    assert store.kept == {"ada": 2}


async def test_a_flush_that_is_cancelled_loses_nothing() -> None:
    store = Store()
    uses = VoiceUses(store)
    uses.count("ada")
    store.gate.clear()
    flushing = asyncio.create_task(uses.flush())
    await asyncio.sleep(0)
    uses.count("ada")
    flushing.cancel()
    await asyncio.wait([flushing])
    store.gate.set()
    await uses.close()
    assert store.kept == {"ada": 2}


async def test_what_is_known_has_what_is_not_written_yet() -> None:
    store = Store()
    store.kept["ada"] = 5
    uses = VoiceUses(store)
    for voice in ("ada", "joe"):
        uses.count(voice)
    known = await uses.known()
    assert {name: use.uses for name, use in known.items()} == {"ada": 6, "joe": 1}
    assert known["ada"].last_used > datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_flood_of_voices_has_a_bound_and_those_counted_go_on() -> None:
    store = Store()
    uses = VoiceUses(store)
    for number in range(MOST_VOICES + 5):
        uses.count(str(number))
    uses.count("0")
    await uses.flush()
    assert (len(store.kept), store.kept["0"]) == (MOST_VOICES, 2)
