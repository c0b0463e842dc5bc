"""The voice library in a database, the same code for SQLite and PostgreSQL."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Executable, RowMapping, Select, column, literal, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import QueuePool

from june_tts.errors import VoiceNotFound
from june_tts.store import rows
from june_tts.store.faults import wrapped
from june_tts.store.guarded import GuardedEngine
from june_tts.store.schema import descriptions, voice_codes, voice_uses, voices
from june_tts.types import ClonedVoice, NewVoice, Picture, VoiceCard, VoiceCodes

# the two dialects share the method but no class that has it
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class SqlVoiceStore:
    """A VoiceStore. A change is one short transaction, a question one statement; the next call
    replaces a lost connection."""

    def __init__(self, engine: AsyncEngine) -> None:
        """`engine`: its schema is up to date already (`store.open_store`). Disposed of by `close`."""
        self._engine = engine
        self._reads = engine.reading() if isinstance(engine, GuardedEngine) else engine
        self._dialect = engine.dialect.name

    @property
    def connections(self) -> tuple[int, int]:
        """To the database: in use, and open but idle."""
        pool = self._engine.pool
        return (pool.checkedout(), pool.checkedin()) if isinstance(pool, QueuePool) else (0, 0)

    async def add(self, voice: NewVoice) -> ClonedVoice:
        added = rows.described(voice, await _sha256(voice.audio), datetime.now(UTC))
        picture = voice.card.cover.data if voice.card.cover else None
        row = rows.to_row(added) | {"audio_data": voice.audio, "cover_image": picture}
        # "Do nothing" leaves the verdict on duplicates to the database, and other violations stay faults.
        insert = _INSERT[self._dialect](voices).values(row)
        async with self._transaction() as connection:
            done = await connection.execute(insert.on_conflict_do_nothing(index_elements=["voice_id"]))
        if done.rowcount == 0:
            raise rows.exists(voice.voice_id)
        return added

    async def get(self, voice_id: str) -> ClonedVoice:
        return await self._whole(await self._one(voice_id, descriptions(self._dialect)))

    async def audio(self, voice_id: str) -> bytes:
        return bytes((await self._one(voice_id, select(voices.c.audio_data)))["audio_data"])

    async def list(self) -> Sequence[ClonedVoice]:
        # by id: the clocks of two replicas may disagree, the sequence does not
        query = descriptions(self._dialect).order_by(text("id"))
        result = []
        for row in await self._read(query):
            with suppress(VoiceNotFound):  # removed since
                result.append(await self._whole(row))
        return result

    async def change(self, voice_id: str, name: str | None, card: VoiceCard) -> ClonedVoice:
        if not rows.storable(voice_id):
            raise rows.not_found(voice_id)
        # only what is given: another replica may be changing the rest
        values = rows.to_changes(name, card, datetime.now(UTC))
        here = voices.update().where(voices.c.voice_id == voice_id).values(values)
        async with self._transaction() as connection:
            done = await connection.execute(here)
        if done.rowcount == 0:
            raise rows.not_found(voice_id)
        return await self.get(voice_id)

    async def cover(self, voice_id: str) -> Picture | None:
        row = await self._one(voice_id, select(voices.c.cover_type, voices.c.cover_image))
        if row["cover_image"] is None:
            return None
        return Picture(row["cover_type"], bytes(row["cover_image"]))

    async def remove(self, voice_id: str) -> None:
        if not rows.storable(voice_id):
            raise rows.not_found(voice_id)
        async with self._transaction() as connection:
            gone = await connection.execute(voices.delete().where(voices.c.voice_id == voice_id))
            await connection.execute(voice_uses.delete().where(voice_uses.c.voice_id == voice_id))
        if gone.rowcount == 0:
            raise rows.not_found(voice_id)

    async def codes(self, voice_id: str, codec: str, sha256: str) -> VoiceCodes | None:
        if not rows.storable(voice_id):
            return None
        here = (voice_codes.c.voice_id == voice_id) & (voice_codes.c.codec == codec)
        query = select(voice_codes).where(here & (voice_codes.c.sha256 == sha256))
        found = await self._read(query)
        return rows.to_codes(found[0]) if found else None

    async def keep_codes(self, voice_id: str, codes: VoiceCodes) -> None:
        if not rows.storable(voice_id):
            return
        row = rows.from_codes(voice_id, codes, datetime.now(UTC))
        # out of a select, so that nothing is inserted for a voice that is gone or has another recording
        its_own = (voices.c.voice_id == voice_id) & (voices.c.sha256 == codes.sha256)
        source = select(*(literal(row[c.name], c.type) for c in voice_codes.columns)).where(its_own)
        insert = _INSERT[self._dialect](voice_codes).from_select(list(row), source.select_from(voices))
        upsert = insert.on_conflict_do_update(
            index_elements=["voice_id", "codec"],
            set_={name: insert.excluded[name] for name in ("sha256", "codes", "transcript", "created_at")},
        )
        async with self._transaction() as connection:
            await connection.execute(upsert)

    def on_given_up(self, told: Callable[[], None]) -> None:
        """Have `told` called each time that the database is given up for away."""
        if isinstance(self._engine, GuardedEngine):
            self._engine.breaker.told = told

    async def ping(self) -> None:
        await self._read(text("SELECT 1"))

    async def close(self) -> None:
        with wrapped():
            await self._engine.dispose()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        with wrapped():
            async with self._engine.begin() as connection:
                yield connection

    async def _read(self, query: Executable) -> Sequence[RowMapping]:
        with wrapped():
            async with self._reads.begin() as connection:
                return (await connection.execute(query)).mappings().all()

    async def _one(self, voice_id: str, query: Select[Any]) -> Mapping[Any, Any]:
        if not rows.storable(voice_id):
            raise rows.not_found(voice_id)
        found = await self._read(query.where(column("voice_id") == voice_id))
        if not found:
            raise rows.not_found(voice_id)
        return found[0]

    async def _whole(self, row: Mapping[Any, Any]) -> ClonedVoice:
        """The voice of a row; one that the earlier service inserted beside us gets its hash first."""
        if row["sha256"] is not None:
            return rows.from_row(row)
        audio = await self.audio(row["voice_id"])
        found = {"sha256": await _sha256(audio), "audio_bytes": len(audio)}
        # not if it was replaced meanwhile: SQLite gives the id of a removed last row to the next one
        here = (voices.c.id == row["id"]) & voices.c.sha256.is_(None)
        async with self._transaction() as connection:
            await connection.execute(voices.update().where(here).values(found))
        return rows.from_row(dict(row) | found)


async def _sha256(audio: bytes) -> str:
    """In a thread: 20 MB take up to 50 ms."""
    return await asyncio.to_thread(lambda: hashlib.sha256(audio).hexdigest())
