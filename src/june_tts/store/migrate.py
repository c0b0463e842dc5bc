"""Brings the schema up to date. Forward only: there is no way back but a backup."""

import asyncio
import threading
from collections.abc import Callable
from importlib import resources
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine

# Any number, but the same in every release: it is what two replicas starting at once meet at.
_LOCK = 0x6A756E65
# Alembic keeps the running migration in module globals.
_ONE_AT_A_TIME = threading.Lock()


async def migrate(build: Callable[[], AsyncEngine]) -> None:
    """Run every migration that is missing, in one transaction that other processes wait for.

    In a thread with an event loop of its own, because hashing the recordings of an adopted table takes
    seconds. `build` makes an engine for that loop; it is disposed of here.
    """
    await asyncio.to_thread(lambda: asyncio.run(_migrate(build())))


async def _migrate(engine: AsyncEngine) -> None:
    if engine.dialect.name == "sqlite":
        _begin_immediately(engine)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    with resources.as_file(resources.files("june_tts.store") / "migrations") as folder, _ONE_AT_A_TIME:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        command.upgrade(config, "head")


def _begin_immediately(engine: AsyncEngine) -> None:
    """Python's sqlite3 opens no transaction for DDL; SQLite can roll DDL back, and lock others out."""

    @event.listens_for(engine.sync_engine, "connect")
    def no_implicit_begin(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
