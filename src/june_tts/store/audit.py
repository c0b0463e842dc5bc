"""The audit log in a database."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from june_tts.store.access_schema import audit
from june_tts.store.rows import naive, utc
from june_tts.store.transactions import transaction
from june_tts.types import AuditEntry


class SqlAuditStore:
    """An AuditStore."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def record(self, entry: AuditEntry) -> None:
        row = dataclasses.asdict(entry) | {"at": naive(entry.at)}
        del row["number"]
        # an id that was asked for may be longer than any id there is
        cut = {"subject": row["subject"][:300], "request_id": row["request_id"][:128]}
        async with transaction(self._engine) as connection:
            await connection.execute(audit.insert().values(row | cut))

    async def list(self, before: int | None, limit: int) -> Sequence[AuditEntry]:
        query = select(audit).order_by(audit.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.number < before)
        async with transaction(self._engine) as connection:
            found = (await connection.execute(query)).mappings().all()
        return [AuditEntry(**dict(row) | {"at": utc(row["at"])}) for row in found]

    async def prune(self, before: datetime) -> int:
        async with transaction(self._engine) as connection:
            done = await connection.execute(audit.delete().where(audit.c.at < naive(before)))
        return int(done.rowcount)
