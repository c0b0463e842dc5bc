"""A PostgreSQL that is far away: what one question costs, and a connection that has ended unseen."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.faults.proxy import Proxy, proxy_to
from tests.services import Postgres

from june_tts.errors import StoreUnavailable, VoiceNotFound
from june_tts.ports import VoiceStore
from june_tts.store import database
from june_tts.store.database import Limits
from june_tts.store.opening import open_store

pytestmark = pytest.mark.integration

DELAY = 0.05
"""Each way."""


@pytest.fixture
def way(postgres: Postgres) -> Iterator[Proxy]:
    with proxy_to(postgres.port) as proxy:
        yield proxy


@pytest.fixture
async def library(postgres: Postgres, way: Proxy, tmp_path: Path) -> AsyncIterator[VoiceStore]:
    url = postgres.new_database().replace(f":{postgres.port}/", f":{way.port}/")
    store = await open_store(url, tmp_path, Limits(connect=1.5, statement=1.5))
    # four connections, each of which knows the statement
    await asyncio.gather(*(asked(store, number) for number in range(20)))
    yield store
    way.open()
    await store.close()


async def asked(store: VoiceStore, number: int) -> str:
    try:
        await store.get(f"nobody{number}")
    except VoiceNotFound:
        return "answered"
    except StoreUnavailable:
        return "refused"
    raise AssertionError("nobody has that voice")


async def test_a_question_is_one_round_trip(library: VoiceStore, way: Proxy) -> None:
    before = way.answers
    for number in range(5):
        assert await asked(library, number) == "answered"
    assert way.answers - before == 5


async def test_more_questions_than_it_can_answer_are_refused_and_the_others_answered_again_and_again(
    library: VoiceStore, way: Proxy
) -> None:
    way.slow(DELAY)
    for _ in range(2):
        answers = await asyncio.gather(*(asked(library, number) for number in range(200)))
        assert answers.count("answered") >= 10, "calls are not refused because others had to wait"


async def test_connections_that_ended_while_nobody_looked_are_made_anew(
    library: VoiceStore, way: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    way.cut()
    await asyncio.sleep(0.1)
    way.open()
    before = way.connections
    assert [await asked(library, number) for number in range(4)] == ["answered"] * 4
    assert way.connections > before
    # one that looks open is asked first when nobody used it for long
    monkeypatch.setattr(database, "_IDLE_SECONDS", 0.0)
    before = way.answers
    assert await asked(library, 1) == "answered"
    assert way.answers - before > 1
