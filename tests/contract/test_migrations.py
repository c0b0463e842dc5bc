"""The schema's way: from nothing, from the table of the earlier service, twice, and from two processes."""

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.contract.voices import OpenStore, new_voice, recording, sha256

from june_tts.errors import SettingsError, StoreUnavailable, VoiceExists
from june_tts.ports import VoiceStore
from june_tts.store import Limits, open_store
from june_tts.store.database import postgres_engine, sqlite_engine
from june_tts.store.schema import descriptions
from june_tts.types import ClonedVoice

pytestmark = pytest.mark.contract

OLD_TABLE = {
    "sqlite": """CREATE TABLE tts_voices (
        id INTEGER PRIMARY KEY AUTOINCREMENT, voice_id VARCHAR(100) UNIQUE NOT NULL, name VARCHAR(255),
        audio_data BLOB NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)""",
    "postgresql": """CREATE TABLE tts_voices (
        id SERIAL PRIMARY KEY, voice_id VARCHAR(100) UNIQUE NOT NULL, name VARCHAR(255),
        audio_data BYTEA NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)""",
}
OLD_INSERT = "INSERT INTO tts_voices (voice_id, name, audio_data) VALUES (:voice_id, :name, :audio)"
OLD_INSERT_WITH_TIMES = """INSERT INTO tts_voices (voice_id, name, audio_data, created_at, updated_at)
    VALUES (:voice_id, :name, :audio, '2024-05-06 07:08:09', NULL)"""


class OldService:
    """Talks to the database as the earlier service did."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def create_table(self) -> None:
        await self.run(OLD_TABLE[self._engine.dialect.name])

    async def insert(self, voice_id: str, name: str | None, sql: str = OLD_INSERT) -> None:
        await self.run(sql, voice_id=voice_id, name=name, audio=recording(voice_id))

    async def run(self, sql: str, **values: Any) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(text(sql), values)

    async def close(self) -> None:
        await self._engine.dispose()


@pytest.fixture
async def old(database_url: str | None, tmp_path: Path) -> AsyncIterator[OldService]:
    if database_url is None:
        engine = sqlite_engine(tmp_path / "june.db", Limits())
    else:
        engine = postgres_engine(database_url, Limits())
    service = OldService(engine)
    yield service
    await service.close()


async def _assert_whole(store: VoiceStore, voice: ClonedVoice) -> None:
    audio = await store.audio(voice.voice_id)
    assert audio == recording(voice.voice_id)
    assert (voice.sha256, voice.audio_bytes) == (sha256(audio), len(audio))


async def test_the_rows_of_the_earlier_service_are_kept(old: OldService, reopen: OpenStore) -> None:
    await old.create_table()
    await old.insert("grandma", "Großmutter")
    await old.insert("nameless", None)
    await old.insert("timed", "Timed", OLD_INSERT_WITH_TIMES)
    store = await reopen()
    voices = await store.list()
    assert [voice.voice_id for voice in voices] == ["grandma", "nameless", "timed"]
    assert [voice.name for voice in voices] == ["Großmutter", "nameless", "Timed"]
    for voice in voices:
        await _assert_whole(store, voice)
        assert (voice.report, voice.transcript, voice.language) == (None, None, None)
        assert await store.get(voice.voice_id) == voice
    assert voices[2].created_at == voices[2].updated_at == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert abs((voices[0].created_at - datetime.now(UTC)).total_seconds()) < 3600


async def test_the_migration_hashes_old_rows_once(old: OldService, reopen: OpenStore) -> None:
    await old.create_table()
    await old.insert("grandma", None)
    store = await reopen()
    # a recording that changed underneath shows that the hash was kept, not computed when read
    await old.run("UPDATE tts_voices SET audio_data = :audio", audio=b"another")
    assert (await store.get("grandma")).sha256 == sha256(recording("grandma"))


@pytest.mark.parametrize("adopted", [True, False])
async def test_the_earlier_service_may_go_on_inserting(
    old: OldService, reopen: OpenStore, adopted: bool
) -> None:
    if adopted:
        await old.create_table()
    store = await reopen()
    await store.add(new_voice("ada"))
    await old.insert("late", "Late")
    await old.insert("later", None, OLD_INSERT_WITH_TIMES)
    voices = await store.list()
    assert [voice.voice_id for voice in voices] == ["ada", "late", "later"]
    for voice in voices:
        await _assert_whole(store, voice)
        assert await store.get(voice.voice_id) == voice
    with pytest.raises(VoiceExists):
        await store.add(new_voice("late"))
    await store.remove("late")


async def test_a_row_inserted_beside_us_is_whole_when_asked_for_alone(
    old: OldService, reopen: OpenStore
) -> None:
    store = await reopen()
    await old.insert("late", "Late")
    await _assert_whole(store, await store.get("late"))


async def test_a_row_without_any_time_is_listed(old: OldService, reopen: OpenStore) -> None:
    store = await reopen()
    await old.insert("late", "Late")
    await old.run("UPDATE tts_voices SET created_at = NULL, updated_at = NULL")
    assert (await store.list())[0].created_at.year == 1970


async def test_migrating_twice_changes_nothing(reopen: OpenStore) -> None:
    added = await (await reopen()).add(new_voice("ada"))
    again = await reopen()
    assert list(await again.list()) == [added]
    assert await again.audio("ada") == recording("ada")


async def test_a_table_of_another_shape_is_refused_and_left_alone(old: OldService, reopen: OpenStore) -> None:
    await old.run("CREATE TABLE tts_voices (id INTEGER, voice_id VARCHAR(9), name VARCHAR(9))")
    with pytest.raises(StoreUnavailable, match="it has no audio_data, created_at, updated_at"):
        await reopen()
    await old.run("INSERT INTO tts_voices VALUES (1, 'a', 'b')")
    with pytest.raises(StoreUnavailable, match="it has no audio_data"):
        await reopen()


async def test_a_newer_schema_is_refused(old: OldService, reopen: OpenStore) -> None:
    await reopen()
    await old.run("UPDATE june_tts_schema SET version_num = '9999'")
    with pytest.raises(StoreUnavailable, match="newer june-tts"):
        await reopen()


async def test_other_migrations_in_the_same_database_are_not_ours(old: OldService, reopen: OpenStore) -> None:
    await old.run("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    await old.run("INSERT INTO alembic_version VALUES ('someone-else')")
    await (await reopen()).add(new_voice("ada"))


async def test_processes_that_start_at_once_migrate_once(
    old: OldService, reopen: OpenStore, database_url: str | None, tmp_path: Path
) -> None:
    await old.create_table()
    await old.insert("grandma", None)
    command = (sys.executable, "-m", "tests.contract.uploader", database_url or "", str(tmp_path))
    started = [
        await asyncio.create_subprocess_exec(*command, f"p{n}", "1", stdout=asyncio.subprocess.PIPE)
        for n in range(3)
    ]
    said = [(await process.communicate())[0].decode().split() for process in started]
    assert said == [["p0-0"], ["p1-0"], ["p2-0"]]
    voices = await (await reopen()).list()
    assert {voice.voice_id for voice in voices} == {"grandma", "p0-0", "p1-0", "p2-0"}


async def test_stores_that_open_at_once_in_one_process_migrate_once(reopen: OpenStore) -> None:
    stores = await asyncio.gather(*(reopen() for _ in range(4)))
    await asyncio.gather(*(store.add(new_voice(f"v{n}")) for n, store in enumerate(stores)))
    assert len(await stores[0].list()) == 4


@pytest.mark.parametrize("clause", ["ORDER BY id", "WHERE voice_id = 'ada'"])
async def test_sqlite_describes_voices_without_touching_their_recordings(tmp_path: Path, clause: str) -> None:
    store = await open_store(None, tmp_path)
    query = descriptions("sqlite").compile(dialect=sqlite.dialect())
    with closing(sqlite3.connect(tmp_path / "june.db")) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {query} {clause}").fetchall()
    assert "COVERING INDEX tts_voices_described" in plan[0][3]
    await store.close()


async def test_sqlite_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    store = await open_store(None, tmp_path / "new" / "folder")
    await store.add(new_voice("ada"))
    files = sorted((tmp_path / "new" / "folder").iterdir())
    assert [file.name for file in files] == ["june.db", "june.db-shm", "june.db-wal"]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600] * 3
    await store.close()


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="file"):
        await open_store(None, tmp_path / "file")


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "june.db").write_bytes(b"not a database " * 1000)
    with pytest.raises(StoreUnavailable, match="SQLITE_NOTADB"):
        await open_store(None, tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://june:hunter2@127.0.0.1/june",
        "postgresql://june:hunter2@127.0.0.1:hunter2/june",
        "postgresql://june:hunter2@127.0.0.1/june?sslmode=hunter3",
        "hunter2",
    ],
)
async def test_a_url_that_cannot_be_read_stops_the_start_without_showing_it(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL cannot be read.*postgresql://user:") as refused:
        await open_store(url, tmp_path)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("prefix", ["postgres://", "postgresql+asyncpg://", "postgresql+psycopg2://"])
async def test_urls_of_other_programs_are_understood(postgres_url: str, prefix: str, tmp_path: Path) -> None:
    store = await open_store(postgres_url.replace("postgresql://", prefix) + "?sslmode=disable", tmp_path)
    await store.ping()
    await store.close()
