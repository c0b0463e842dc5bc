"""Counts of use, in both databases: additive over replicas, gone with their voice; and the library's name."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from tests.contract.voices import new_voice

from june_tts.errors import StoreUnavailable
from june_tts.store import Limits, Stores, open_stores
from june_tts.store.sql import SqlVoiceStore

pytestmark = pytest.mark.contract

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def replicas(database_url: str | None, tmp_path: Path) -> AsyncIterator[list[Stores]]:
    opened = [await open_stores(database_url, tmp_path) for _ in range(2)]
    yield opened
    for stores in opened:
        await stores.voices.close()


async def test_the_counts_of_all_replicas_add_up(replicas: list[Stores]) -> None:
    names = [f"v{number}" for number in range(10)]
    writes = [
        replicas[number % 2].voice_uses.add(dict.fromkeys(names[:: 1 - 2 * (number % 2)], 3), NOON)
        for number in range(10)
    ]
    await asyncio.gather(*writes)
    assert {name: use.uses for name, use in (await replicas[0].voice_uses.all()).items()} == dict.fromkeys(
        names, 30
    )


async def test_the_latest_use_stays_whatever_a_clock_says(replicas: list[Stores]) -> None:
    for moment in (NOON, NOON + timedelta(seconds=9), NOON - timedelta(hours=1)):
        await replicas[0].voice_uses.add({"joe": 1}, moment)
    use = (await replicas[1].voice_uses.all())["joe"]
    assert (use.uses, use.last_used) == (3, NOON + timedelta(seconds=9))


async def test_a_voice_that_is_added_again_begins_at_nothing(replicas: list[Stores]) -> None:
    await replicas[0].voices.add(new_voice("ada"))
    await replicas[0].voice_uses.add({"ada": 7, "joe": 1}, NOON)
    await replicas[1].voices.remove("ada")
    assert set(await replicas[0].voice_uses.all()) == {"joe"}


async def test_an_id_that_no_database_can_hold_costs_the_others_nothing(replicas: list[Stores]) -> None:
    await replicas[0].voice_uses.add({"x" * 101: 1, "nul\x00": 1, "\ud800": 1, "joe": 1}, NOON)
    assert set(await replicas[0].voice_uses.all()) == {"joe"}


async def test_replicas_agree_on_the_name_of_their_library_and_others_have_another(
    replicas: list[Stores], tmp_path: Path
) -> None:
    elsewhere = await open_stores(None, tmp_path / "elsewhere")
    assert replicas[0].name == replicas[1].name != elsewhere.name
    await elsewhere.voices.close()


async def test_it_is_told_once_when_postgres_answers_too_late_again_and_again(
    postgres_url: str, tmp_path: Path
) -> None:
    stores = await open_stores(postgres_url, tmp_path, Limits(connect=1.0, statement=0.4))
    assert isinstance(stores.voices, SqlVoiceStore)
    told: list[None] = []
    stores.voices.on_given_up(lambda: told.append(None))
    other = await asyncpg.connect(postgres_url)
    async with other.transaction():
        await other.execute("LOCK TABLE tts_voice_uses IN ACCESS EXCLUSIVE MODE")
        for _ in range(2):
            calls = (stores.voice_uses.all() for _ in range(4))
            found = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(one) for one in found} == {StoreUnavailable}
    assert len(told) == 1
    await other.close()
    await stores.voices.close()
