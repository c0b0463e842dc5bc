"""API keys in a database. Every change gets the next revision, so that readers ask for what is new alone."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from june_tts.errors import KeyNotFound, shown
from june_tts.store.access_schema import key_revision, keys
from june_tts.store.rows import naive, utc
from june_tts.store.transactions import transaction
from june_tts.types import SCOPES, ApiKey, KeyLimits

_LIMITS = frozenset(field.name for field in dataclasses.fields(KeyLimits))


class SqlKeyStore:
    """A KeyStore."""

    def __init__(self, engine: AsyncEngine) -> None:
        """`engine`: its schema is up to date already. It is the opener's to dispose of."""
        self._engine = engine

    async def add(self, key: ApiKey) -> ApiKey:
        async with transaction(self._engine) as connection:
            kept = dataclasses.replace(key, revision=await _next(connection))
            await connection.execute(keys.insert().values(_to_row(kept)))
        return kept

    async def change(
        self, key_id: str, *, limits: KeyLimits | None = None, revoked_at: datetime | None = None
    ) -> ApiKey:
        if "\0" in key_id or not key_id.isascii():  # PostgreSQL takes neither for an answerable question
            raise not_found(key_id)
        async with transaction(self._engine) as connection:
            revision = await _next(connection)
            row = (await connection.execute(select(keys).where(keys.c.key_id == key_id))).mappings().first()
            if row is None:
                raise not_found(key_id)
            kept = changed(_from_row(row), revision, limits, revoked_at)
            await connection.execute(keys.update().where(keys.c.key_id == key_id).values(_to_row(kept)))
        return kept

    async def since(self, revision: int) -> Sequence[ApiKey]:
        query = select(keys).where(keys.c.revision > revision).order_by(keys.c.revision)
        async with transaction(self._engine) as connection:
            return [_from_row(row) for row in (await connection.execute(query)).mappings()]


def changed(key: ApiKey, revision: int, limits: KeyLimits | None, revoked_at: datetime | None) -> ApiKey:
    """The key as it is after a change."""
    return dataclasses.replace(
        key, revision=revision, limits=limits or key.limits, revoked_at=key.revoked_at or revoked_at
    )


def not_found(key_id: str) -> KeyNotFound:
    return KeyNotFound(f"no API key has the id {shown(key_id)}", param="key_id")


async def _next(connection: AsyncConnection) -> int:
    """The number of this change; the row stays locked until the transaction ends, so none is seen early."""
    up = key_revision.update().values(revision=key_revision.c.revision + 1)
    return int((await connection.execute(up.returning(key_revision.c.revision))).scalar_one())


def _to_row(key: ApiKey) -> dict[str, Any]:
    row = {column.name: getattr(key, column.name) for column in keys.columns}
    row["scopes"] = json.dumps(sorted(key.scopes))
    row["limits"] = json.dumps(dataclasses.asdict(key.limits))
    moments = ("created_at", "expires_at", "revoked_at")
    return row | {name: naive(row[name]) if row[name] else None for name in moments}


def _from_row(row: Mapping[Any, Any]) -> ApiKey:
    limits = json.loads(row["limits"])
    given = {name: value for name, value in limits.items() if name in _LIMITS}
    scopes = json.loads(row["scopes"])
    moments = ("created_at", "expires_at", "revoked_at")
    return ApiKey(
        **{field.name: row[field.name] for field in dataclasses.fields(ApiKey)}
        # what a newer version wrote and this one does not know grants nothing here
        | {"scopes": frozenset(scope for scope in SCOPES if scope in scopes), "limits": KeyLimits(**given)}
        | {name: utc(row[name]) if row[name] else None for name in moments}
    )
