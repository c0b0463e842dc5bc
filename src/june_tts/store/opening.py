"""Opens the voice library: connects, migrates, hands over a store."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy.ext.asyncio import AsyncEngine

from june_tts.errors import StoreUnavailable
from june_tts.ports import AuditStore, JobStore, KeyStore, UsageStore, VoiceStore, VoiceUseStore
from june_tts.store.audit import SqlAuditStore
from june_tts.store.database import Limits, postgres_engine, sqlite_engine
from june_tts.store.faults import DRIVER_ERRORS, name_of, root_of
from june_tts.store.jobs import SqlJobStore
from june_tts.store.keys import SqlKeyStore
from june_tts.store.migrate import migrate
from june_tts.store.sql import SqlVoiceStore
from june_tts.store.usage import SqlUsageStore
from june_tts.store.voice_uses import SqlVoiceUses, library_name

_PATIENCE = 120.0
"""Seconds a migration waits for other replicas and for the old service's open transactions."""


@dataclass(frozen=True, slots=True)
class Stores:
    """All that is in one database. They share its connections; `voices.close` closes them."""

    voices: VoiceStore
    keys: KeyStore
    audit: AuditStore
    usage: UsageStore
    jobs: JobStore
    voice_uses: VoiceUseStore
    name: str
    """Names the database: the same for every replica."""


async def open_store(url: str | None, data_dir: Path, limits: Limits | None = None) -> VoiceStore:
    """The voices alone; see `open_stores`."""
    return (await open_stores(url, data_dir, limits)).voices


async def open_stores(url: str | None, data_dir: Path, limits: Limits | None = None) -> Stores:
    """Open the database with its schema up to date; the caller closes `voices`.

    Args:
        url: `postgresql://user:password@host:port/name`, with libpq's parameters; None means SQLite.
        data_dir: where SQLite keeps `june.db`; created when missing.

    Raises:
        StoreUnavailable: naming the reason, never the password.
        SettingsError: the URL cannot be read.
    """
    limits = limits or Limits()
    try:
        build = await _builder(url, data_dir)
        await migrate(lambda: build(Limits(limits.connect, max(limits.statement, _PATIENCE))))
        return await _stores(build(limits))
    except CommandError:
        raise StoreUnavailable("the voice library was written by a newer june-tts than this one") from None
    except DRIVER_ERRORS as error:
        raise StoreUnavailable(f"the voice library cannot be opened: {_reason(error)}") from None


async def _stores(engine: AsyncEngine) -> Stores:
    return Stores(
        SqlVoiceStore(engine),
        SqlKeyStore(engine),
        SqlAuditStore(engine),
        SqlUsageStore(engine),
        SqlJobStore(engine),
        SqlVoiceUses(engine),
        await library_name(engine),
    )


async def _builder(url: str | None, data_dir: Path) -> Callable[[Limits], AsyncEngine]:
    if url is not None:
        return partial(postgres_engine, url)
    path = data_dir / "june.db"
    await asyncio.to_thread(_make_private, path)
    return partial(sqlite_engine, path)


def _make_private(path: Path) -> None:
    """Recordings of people's voices: for the owner's eyes only, the WAL beside the file too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _reason(error: BaseException) -> str:
    """For the operator: the address that refused or the database's first line, which quotes no row."""
    if isinstance(error, OSError):
        return str(error) or name_of(error)
    return f"{name_of(error)}: {next(iter(root_of(error).args), '')}"
