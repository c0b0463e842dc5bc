"""What callers had, by days, in a database."""

import dataclasses
from collections.abc import Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from june_tts.store.access_schema import usage
from june_tts.store.transactions import INSERT, transaction
from june_tts.types import Usage

_COUNTS = ("requests", "characters", "audio_seconds")


class SqlUsageStore:
    """A UsageStore."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, used: Sequence[Usage]) -> None:
        insert = INSERT[self._engine.dialect.name](usage)
        more = {name: usage.c[name] + insert.excluded[name] for name in _COUNTS}
        upsert = insert.on_conflict_do_update(index_elements=["key_id", "day"], set_=more)
        # in one order for every replica: two that lock the same rows the other way round wait for ever
        ordered = sorted(used, key=lambda one: (one.key_id, one.day))
        async with transaction(self._engine) as connection:
            for one in ordered:
                await connection.execute(upsert, dataclasses.asdict(one))

    async def since(self, day: date) -> Sequence[Usage]:
        query = select(usage).where(usage.c.day >= day).order_by(usage.c.key_id, usage.c.day)
        async with transaction(self._engine) as connection:
            return [Usage(**row) for row in (await connection.execute(query)).mappings()]
