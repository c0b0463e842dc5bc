"""How often voices were spoken, and the name of the library they are in."""

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from june_tts.store import rows
from june_tts.store.schema import library, voice_uses
from june_tts.store.transactions import INSERT, transaction
from june_tts.types import VoiceUse


class SqlVoiceUses:
    """A VoiceUseStore."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, counts: Mapping[str, int], at: datetime) -> None:
        insert = INSERT[self._engine.dialect.name](voice_uses)
        # the clocks of replicas may disagree; the latest stays
        later = func.greatest if self._engine.dialect.name == "postgresql" else func.max
        upsert = insert.on_conflict_do_update(
            index_elements=["voice_id"],
            set_={
                "uses": voice_uses.c.uses + insert.excluded.uses,
                "last_used": later(voice_uses.c.last_used, insert.excluded.last_used),
            },
        )
        moment = at.astimezone(UTC).replace(tzinfo=None)
        async with transaction(self._engine) as connection:
            # in one order for every replica: two that lock the same rows the other way round wait for ever
            for voice_id in sorted(filter(rows.storable, counts)):
                row = {"voice_id": voice_id, "uses": counts[voice_id], "last_used": moment}
                await connection.execute(upsert, row)

    async def all(self) -> Mapping[str, VoiceUse]:
        async with transaction(self._engine) as connection:
            found = (await connection.execute(select(voice_uses))).mappings().all()
        return {row["voice_id"]: VoiceUse(row["uses"], row["last_used"].replace(tzinfo=UTC)) for row in found}


async def library_name(engine: AsyncEngine) -> str:
    """The same for every replica on a database. Raises: StoreUnavailable."""
    async with transaction(engine) as connection:
        name: str = (await connection.execute(select(library.c.name).limit(1))).scalar_one()
    return name
