"""A library that cannot be reached says so, in time and without secrets, and comes back by itself."""

import asyncio
import resource
import socket
import sqlite3
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest
from tests.contract.voices import new_voice, recording
from tests.services import Postgres, free_port

from june_tts.errors import StoreUnavailable
from june_tts.ports import VoiceStore
from june_tts.store import Limits, guarded, open_store
from june_tts.store.breaker import PAUSE_SECONDS

pytestmark = pytest.mark.contract

IMPATIENT = Limits(connect=1.0, statement=0.5)


def _every_call(store: VoiceStore) -> list[Callable[[], Awaitable[object]]]:
    return [
        lambda: store.add(new_voice("new")),
        lambda: store.get("ada"),
        lambda: store.audio("ada"),
        lambda: store.list(),
        lambda: store.remove("nobody"),
        lambda: store.ping(),
    ]


@pytest.fixture
async def server(postgres: Postgres) -> AsyncIterator[Postgres]:
    """The PostgreSQL of all tests, running again after this one."""
    yield postgres
    if not postgres.running():
        postgres.start()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_stopped_postgres_is_reported_and_found_again_when_it_is_back(
    server: Postgres, postgres_url: str, tmp_path: Path, mode: str
) -> None:
    store = await open_store(postgres_url, tmp_path)
    await store.add(new_voice("ada"))
    server.stop(mode)
    for call in _every_call(store):
        with pytest.raises(StoreUnavailable) as refused:
            await call()
        assert refused.value.retryable
    server.start()
    assert await store.audio("ada") == recording("ada")
    await store.add(new_voice("new"))
    assert len(await store.list()) == 2
    await store.close()


async def test_a_restart_between_two_calls_costs_none_of_them(
    server: Postgres, postgres_url: str, tmp_path: Path
) -> None:
    store = await open_store(postgres_url, tmp_path)
    await asyncio.gather(*(store.add(new_voice(f"v{n}")) for n in range(4)))
    server.stop("immediate")
    server.start()
    assert len(await asyncio.gather(*(store.get(f"v{n}") for n in range(4)))) == 4
    await store.close()


async def test_a_postgres_that_stops_while_voices_are_added_keeps_the_acknowledged_ones(
    server: Postgres, postgres_url: str, tmp_path: Path
) -> None:
    store = await open_store(postgres_url, tmp_path)
    adding = [asyncio.create_task(store.add(new_voice(f"v{n}"))) for n in range(40)]
    await asyncio.wait(adding, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.to_thread(server.stop, "immediate")
    results = await asyncio.gather(*adding, return_exceptions=True)
    assert {type(result) for result in results if isinstance(result, BaseException)} <= {StoreUnavailable}
    server.start()
    kept = {voice.voice_id for voice in await store.list()}
    assert kept >= {f"v{n}" for n, result in enumerate(results) if not isinstance(result, BaseException)}
    for voice_id in kept:
        assert await store.audio(voice_id) == recording(voice_id)
    await store.close()


async def test_a_server_that_accepts_and_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://june@127.0.0.1:{silent.getsockname()[1]}/june"
        async with asyncio.timeout(20):
            with pytest.raises(StoreUnavailable, match="TimeoutError"):
                await open_store(url, tmp_path, IMPATIENT)


async def test_a_locked_postgres_table_is_given_up_and_found_again(postgres_url: str, tmp_path: Path) -> None:
    store = await open_store(postgres_url, tmp_path, IMPATIENT)
    other = await asyncpg.connect(postgres_url)
    async with other.transaction():
        await other.execute("LOCK TABLE tts_voices IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(20):
            # more than the pool has places
            results = await asyncio.gather(*(store.list() for _ in range(10)), return_exceptions=True)
        assert {type(result) for result in results} == {StoreUnavailable}
        # it is known to be slow by now: nobody waits for it any more
        begin = time.monotonic()
        with pytest.raises(StoreUnavailable) as refused:
            await store.list()
        assert time.monotonic() - begin < IMPATIENT.statement / 2
        assert refused.value.retry_after and refused.value.retry_after <= PAUSE_SECONDS
    await other.close()
    await asyncio.sleep(PAUSE_SECONDS)
    await store.add(new_voice("ada"))
    assert len(await store.list()) == 1
    await store.close()


async def test_no_more_calls_wait_for_a_database_than_may(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded, "MOST_AT_ONCE", 6)
    store = await open_store(postgres_url, tmp_path)
    results = await asyncio.gather(*(store.list() for _ in range(10)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, StoreUnavailable)]
    assert len(refused) == 4 and all("6 calls wait" in str(one) for one in refused)
    assert await store.list() == []
    await store.close()


async def test_a_locked_sqlite_file_is_given_up_and_found_again(tmp_path: Path) -> None:
    store = await open_store(None, tmp_path, IMPATIENT)
    other = sqlite3.connect(tmp_path / "june.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="SQLITE_BUSY"):
        await store.add(new_voice("ada"))
    assert list(await store.list()) == []
    other.execute("ROLLBACK")
    other.close()
    await store.add(new_voice("ada"))
    await store.close()


async def test_a_full_disk_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    store = await open_store(None, tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # the kernel then answers EFBIG, as it answers ENOSPC on a full disk; Python ignores the signal
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        with pytest.raises(StoreUnavailable, match="OperationalError"):
            await store.add(new_voice("ada", size=1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(await store.list()) == []
    await store.add(new_voice("ada"))
    assert await store.audio("ada") == recording("ada")
    await store.close()


async def test_a_refused_connection_names_the_address_and_not_the_password(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(StoreUnavailable, match=f"127.0.0.1.*{port}") as refused:
        await open_store(f"postgresql://june:hunter2@127.0.0.1:{port}/june", tmp_path)
    assert "hunter2" not in repr(refused.value)


async def test_an_unknown_database_is_named(postgres: Postgres, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match='database "nowhere" does not exist'):
        await open_store(postgres.url("nowhere"), tmp_path)


async def test_errors_and_logs_carry_neither_recording_nor_transcript(
    server: Postgres, postgres_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="sqlalchemy")
    store = await open_store(postgres_url, tmp_path)
    other = await asyncpg.connect(postgres_url)
    # PostgreSQL's DETAIL then quotes the whole failing row
    await other.execute("ALTER TABLE tts_voices ADD CHECK (transcript = 'only this')")
    await other.close()
    with pytest.raises(StoreUnavailable, match="CheckViolationError 23514") as refused:
        await store.add(new_voice("ada"))
    shown = "".join(traceback.format_exception(refused.value)) + caplog.text
    assert "Guten Tag" not in shown
    assert recording("ada")[:10].hex() not in shown
    await store.close()
