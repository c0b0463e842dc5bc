"""Jobs in a database, the same code for SQLite and PostgreSQL."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import ColumnElement, Float, Select, Table, case, func, literal_column, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from june_tts.errors import Overloaded
from june_tts.jobs import OPEN, Failure, HeldJob, Hold, Job, JobLost, JobPiece, JobState, NewJob
from june_tts.store import jobs_rows as rows
from june_tts.store.faults import wrapped
from june_tts.store.jobs_schema import audio, jobs, pieces

_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_NOW = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "extract(epoch from clock_timestamp())",
}
"""Seconds since 1970, by the clock that all replicas share."""
_LOOKED_AT = 8
"""Free jobs that are tried in turn: another replica may be quicker with the first."""
_RETRY_SECONDS = 60.0
_LONGEST_HOLDS = 4
"""No replica holds a job for longer than this many times what another one would."""
_DELETED = 8
"""Parts deleted in one transaction: of some megabytes each, and others wait to write meanwhile."""
_ID = re.compile("[0-9a-f]{32}")
REMOVED = "removed"
"""A state that nobody sees: what is left of the job is being deleted."""
_OPEN = jobs.c.state.in_(OPEN)
_GONE = {"state": REMOVED, "text": "", "title": None, "holder": None}


class SqlJobStore:
    """A JobStore. Every call is one short transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        """`engine`: its schema is up to date already (`store.open_stores`); closed by whoever opened it."""
        self._engine = engine
        self._insert = _INSERT[engine.dialect.name]
        self._now: ColumnElement[float] = literal_column(_NOW[engine.dialect.name], Float)

    async def add(self, job: NewJob, waiting: int) -> Job:
        row = rows.to_row(job) | {"created_at": self._now}
        theirs = select(func.count()).select_from(jobs).where(_OPEN, jobs.c.owner == job.owner)
        async with self._transaction() as connection:
            there = (await connection.execute(theirs)).scalar_one()
            if there >= waiting:
                raise Overloaded(
                    f"{there} jobs wait or run already (JUNE_JOBS_WAITING)", retry_after=_RETRY_SECONDS
                )
            await connection.execute(jobs.insert().values(row))
            return await self._seen(connection, job.id)

    async def get(self, job_id: str) -> Job:
        async with self._transaction() as connection:
            return await self._seen(connection, job_id)

    async def list(
        self, owner: str | None, states: Sequence[JobState], before: str | None, count: int
    ) -> Sequence[Job]:
        query = _visible().order_by(jobs.c.number.desc()).limit(count)
        if owner is not None:
            query = query.where(jobs.c.owner == owner)
        if states:
            query = query.where(jobs.c.state.in_(states))
        async with self._transaction() as connection:
            if before is not None:
                begin = select(jobs.c.number).where(jobs.c.job_id == _known(before), jobs.c.state != REMOVED)
                number = (await connection.execute(begin)).scalar_one_or_none()
                if number is None:
                    raise rows.not_found(before)
                query = query.where(jobs.c.number < number)
            return [rows.to_job(row) for row in (await connection.execute(query)).mappings()]

    async def cancel(self, job_id: str) -> Job:
        async with self._transaction() as connection:
            here = jobs.update().where(jobs.c.job_id == _known(job_id), _OPEN)
            await connection.execute(here.values(self._ending("cancelled")))
            return await self._seen(connection, job_id)

    async def remove(self, job_id: str) -> None:
        here = (jobs.c.job_id == _known(job_id)) & (jobs.c.state != REMOVED)
        async with self._transaction() as connection:
            done = await connection.execute(jobs.update().where(here).values(_GONE))
        if done.rowcount == 0:
            raise rows.not_found(job_id)

    async def claim(self, runner: str, seconds: float) -> HeldJob | None:
        free = self._free(seconds)
        async with self._transaction() as connection:
            numbers = (await connection.execute(_in_turn(free))).scalars().all()
        taking = {
            "state": "running",
            "holder": runner,
            "held_until": self._now + seconds,
            "started_at": func.coalesce(jobs.c.started_at, self._now),
            "served_at": self._now,
            "tries": jobs.c.tries + 1,
        }
        for number in numbers:
            async with self._transaction() as connection:
                taken = jobs.update().where(jobs.c.number == number, free).values(taking)
                if (await connection.execute(taken)).rowcount:
                    query = select(jobs).where(jobs.c.number == number)
                    row = (await connection.execute(query)).mappings().one()
                    return HeldJob(rows.to_job(row), rows.to_speech(row), row["tries"])
        return None

    async def renew(self, hold: Hold) -> None:
        async with self._transaction() as connection:
            await self._held(connection, hold)

    async def release(self, hold: Hold) -> None:
        here = (jobs.c.job_id == hold.job_id) & (jobs.c.holder == hold.runner)
        freed = {
            "holder": None,
            "held_until": None,
            "tries": case((jobs.c.tries > 0, jobs.c.tries - 1), else_=0),
        }
        async with self._transaction() as connection:
            await connection.execute(jobs.update().where(here, _OPEN).values(freed))

    async def keep_piece(self, hold: Hold, piece: JobPiece) -> Job:
        values = {
            "spoken": piece.stop,
            "pieces": piece.number + 1,
            "piece_rate": piece.sample_rate,
            "samples": jobs.c.samples + len(piece.pcm) // 2,
            "tries": 0,
        }
        async with self._transaction() as connection:
            # also the number: what a lost connection hid may have been kept all the same
            number = await self._held(connection, hold, jobs.c.pieces == piece.number, **values)
            await connection.execute(pieces.insert().values(job=number, number=piece.number, pcm=piece.pcm))
            return await self._seen(connection, hold.job_id)

    async def piece(self, hold: Hold, number: int) -> bytes:
        query = _part(pieces, hold.job_id, number)
        async with self._transaction() as connection:
            found = (await connection.execute(query)).scalar_one_or_none()
        if found is None:
            raise JobLost
        return bytes(found)

    async def keep_audio(self, hold: Hold, number: int, data: bytes) -> None:
        async with self._transaction() as connection:
            await self._keep_block(connection, await self._held(connection, hold), number, data)

    async def finish(self, hold: Hold, first: bytes, blocks: int, audio_bytes: int) -> Job:
        values = self._ending("done") | {"audio_bytes": audio_bytes, "spoken": jobs.c.characters}
        async with self._transaction() as connection:
            number = await self._held(connection, hold, **values)
            await self._keep_block(connection, number, 0, first)
            # of a try that was broken off
            await connection.execute(audio.delete().where(audio.c.job == number, audio.c.number >= blocks))
            return await self._seen(connection, hold.job_id)

    async def fail(self, hold: Hold, failure: Failure) -> Job:
        values = self._ending("failed") | {"failure": rows.from_failure(failure)}
        async with self._transaction() as connection:
            await self._held(connection, hold, **values)
            return await self._seen(connection, hold.job_id)

    async def audio(self, job_id: str, number: int) -> bytes:
        query = _part(audio, _known(job_id), number).where(jobs.c.state == "done")
        async with self._transaction() as connection:
            found = (await connection.execute(query)).scalar_one_or_none()
        if found is None:
            raise rows.not_found(job_id)
        return bytes(found)

    async def sweep(self, kept: int, seconds: float) -> bool:
        ended = jobs.c.state.in_(("done", "failed", "cancelled"))
        rank = func.row_number().over(partition_by=jobs.c.owner, order_by=jobs.c.number.desc())
        ranked = select(jobs.c.number, rank.label("rank")).where(ended).subquery()
        many = select(ranked.c.number).where(ranked.c.rank > kept)
        old = ended & (jobs.c.ended_at < self._now - seconds)
        async with self._transaction() as connection:
            await connection.execute(jobs.update().where(or_(old, jobs.c.number.in_(many))).values(_GONE))
        more = await self._delete(pieces, jobs.c.state.not_in(OPEN))
        more |= await self._delete(audio, jobs.c.state.in_(("failed", "cancelled", REMOVED)))
        if not more:
            async with self._transaction() as connection:
                await connection.execute(jobs.delete().where(jobs.c.state == REMOVED))
        return more

    async def _delete(self, parts: Table, of: ColumnElement[bool]) -> bool:
        """Some of what nobody needs; whether there may be more."""
        some = select(parts.c.id).join(jobs, jobs.c.number == parts.c.job).where(of).limit(_DELETED)
        async with self._transaction() as connection:
            done = await connection.execute(parts.delete().where(parts.c.id.in_(some)))
        return done.rowcount == _DELETED

    def _free(self, seconds: float) -> ColumnElement[bool]:
        """Nobody holds it, or nobody says so any more. Held for longer than anybody may: a clock was put
        back since."""
        until = jobs.c.held_until
        return _OPEN & or_(
            jobs.c.holder.is_(None), until < self._now, until > self._now + _LONGEST_HOLDS * seconds
        )

    async def _held(
        self, connection: AsyncConnection, hold: Hold, *also: ColumnElement[bool], **values: Any
    ) -> int:
        """Change a job that is still the holder's, whose time begins anew. Its number.

        Raises:
            JobLost: it is not; nothing was changed.
        """
        here = (jobs.c.job_id == hold.job_id) & (jobs.c.holder == hold.runner) & (jobs.c.state == "running")
        changed = {"held_until": self._now + hold.seconds} | values
        done = await connection.execute(jobs.update().where(here, *also).values(changed))
        if done.rowcount == 0:
            raise JobLost
        query = select(jobs.c.number).where(jobs.c.job_id == hold.job_id)
        return int((await connection.execute(query)).scalar_one())

    async def _keep_block(self, connection: AsyncConnection, job: int, number: int, data: bytes) -> None:
        # in place of one of a try that was broken off
        insert = self._insert(audio).values(job=job, number=number, data=data)
        await connection.execute(
            insert.on_conflict_do_update(
                index_elements=["job", "number"], set_={"data": insert.excluded.data}
            )
        )

    def _ending(self, state: JobState) -> dict[str, Any]:
        return {"state": state, "ended_at": self._now, "text": "", "holder": None, "held_until": None}

    async def _seen(self, connection: AsyncConnection, job_id: str) -> Job:
        query = _visible().where(jobs.c.job_id == _known(job_id))
        row = (await connection.execute(query)).mappings().one_or_none()
        if row is None:
            raise rows.not_found(job_id)
        return rows.to_job(row)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        with wrapped():
            async with self._engine.begin() as connection:
                yield connection


def _visible() -> Select[Any]:
    """Everything but the text, which may be megabytes."""
    return select(*(jobs.c[name] for name in rows.SEEN)).where(jobs.c.state != REMOVED)


def _part(parts: Table, job_id: str, number: int) -> Select[Any]:
    data = parts.c.pcm if parts is pieces else parts.c.data
    return select(data).join(jobs).where(jobs.c.job_id == job_id, parts.c.number == number)


def _in_turn(free: ColumnElement[bool]) -> Select[Any]:
    """What was begun goes first; then the caller whose turn was longest ago; then the oldest."""
    other = jobs.alias("other")
    served = select(func.max(other.c.served_at)).where(other.c.owner == jobs.c.owner).scalar_subquery()
    begun = case((jobs.c.state == "running", 0), else_=1)
    query = select(jobs.c.number).where(free)
    return query.order_by(begun, func.coalesce(served, 0.0), jobs.c.number).limit(_LOOKED_AT)


def _known(job_id: str) -> str:
    """Raises: JobNotFound, for what is no id: a database need not be asked, and could not hold some."""
    if not _ID.fullmatch(job_id):
        raise rows.not_found(job_id)
    return job_id
