"""Connections to the two databases. Every limit on waiting is set here, and no password is ever shown."""

import asyncio
import math
import re
import select
import socket
import sqlite3
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from june_tts.errors import SettingsError
from june_tts.store.breaker import Breaker
from june_tts.store.guarded import GuardedEngine

_CONNECTIONS = 4
"""Per process. Voices are small and seldom asked for; a PostgreSQL of 100 connections bears 25 replicas."""
_RECYCLE_SECONDS = 1800
_IDLE_SECONDS = 30.0
"""A connection that nobody used for so long is asked whether it is still there: firewalls forget silent ones.
Of one used since, the socket knows."""
_BACK = "june_tts.back"
_CLOSE_SECONDS = 0.25
_SQLITE_CLOSE_SECONDS = 2.0
_JOIN_SECONDS = 0.05
_WAL_TRIES = 250
_WAL_PAUSE_SECONDS = 0.02

_URL = "postgresql://user:password@host:port/name"
_DRIVER_SUFFIX = re.compile(r"^(postgres(?:ql)?)\+\w+://")
"""People copy URLs from programs that name the driver: postgresql+psycopg2://."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a caller may wait, in seconds, before it is told that the library is unavailable."""

    connect: float = 3.0
    """For a new connection, and for a free place in the pool."""
    statement: float = 5.0
    """For one transaction, waiting for its connection included; in SQLite, for other writers."""


class _SqliteEngine(AsyncEngine):
    """An engine that is closed when its connections' threads are.

    aiosqlite gives every connection a thread. A transaction that was cancelled leaves its thread to end by
    itself: it would answer an event loop that is closed by then, or never answer whoever closes it again.
    """

    def __init__(self, engine: AsyncEngine, threads: set[threading.Thread]) -> None:
        super().__init__(engine.sync_engine)
        self._threads = threads

    async def dispose(self, close: bool = True) -> None:
        """Within two seconds; a statement that runs longer is left to end by itself."""
        end = time.monotonic() + _SQLITE_CLOSE_SECONDS
        while True:
            # again and again: a caller who is being cut off may still bring a connection back
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await super().dispose(close)
            thread = next((one for one in self._threads if one.is_alive()), None)
            if thread is None or time.monotonic() > end:
                return
            await asyncio.to_thread(thread.join, _JOIN_SECONDS)


def sqlite_engine(path: Path, limits: Limits) -> AsyncEngine:
    threads: set[threading.Thread] = set()

    async def connect() -> aiosqlite.Connection:
        connection = aiosqlite.connect(path, timeout=limits.statement, check_same_thread=False)
        thread = connection._thread
        thread.daemon = True  # a statement that does not end holds up no exit
        threads.difference_update([one for one in threads if one.ident and not one.is_alive()])
        threads.add(thread)
        return await connection

    engine = create_async_engine(
        "sqlite+aiosqlite:///",
        async_creator=connect,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=limits.connect,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return _SqliteEngine(engine, threads)


class _Impatient(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """Says goodbye to a server that does not answer without waiting for it: SQLAlchemy allows two seconds,
    which a caller who was promised an answer in time would wait as well."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109  asyncpg's signature
        await super().close(timeout=min(timeout or _CLOSE_SECONDS, _CLOSE_SECONDS))


def postgres_engine(url: str, limits: Limits) -> AsyncEngine:
    """`url` goes to asyncpg unread: it knows libpq's parameters (sslmode, several hosts), and SQLAlchemy,
    which never sees it, cannot print its password."""

    async def connect() -> Any:
        try:
            return await asyncpg.connect(
                _DRIVER_SUFFIX.sub(r"\1://", url),
                timeout=limits.connect,
                command_timeout=limits.statement,
                connection_class=_Impatient,
                server_settings={"application_name": "june-tts", "timezone": "UTC"},
            )
        except ValueError as error:
            raise _unreadable(error) from None

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=limits.connect,
        pool_recycle=_RECYCLE_SECONDS,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "checkout", _look)
    event.listen(engine.sync_engine, "checkin", _note)
    return GuardedEngine(engine, Breaker(), limits.statement)


def _look(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Instead of SQLAlchemy's ping before every transaction, which is three round trips.

    Raises:
        DisconnectionError: it is gone; the pool connects anew.
    """
    mine = connection.driver_connection
    idle = time.monotonic() - record.info.get(_BACK, math.inf)
    if mine.is_closed():
        raise DisconnectionError
    if idle < _IDLE_SECONDS and not _has_news(mine._transport.get_extra_info("socket")):
        return
    try:
        connection.ping()
    except connection.dbapi.Error:
        raise DisconnectionError from None


def _has_news(connection: socket.socket) -> bool:
    """A PostgreSQL that was asked nothing says nothing: there is something to read where it has said goodbye,
    which the loop may not have noticed yet."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _note(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[_BACK] = time.monotonic()


def _unreadable(error: ValueError) -> SettingsError:
    # a plain ValueError may quote the piece of a password that it took for a port
    why = f" ({error})" if isinstance(error, asyncpg.InterfaceError) else ""
    return SettingsError(f"DATABASE_URL cannot be read{why}: expected {_URL}, special characters as %XX")


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    _switch_to_wal(cursor)
    # FULL and not NORMAL: in WAL mode NORMAL loses the last commits when the power goes, and a voice was
    # acknowledged. It costs one fsync per upload.
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _switch_to_wal(cursor: sqlite3.Cursor) -> None:
    """A new file changes its mode only while nobody else has it open, and for this SQLite does not wait: it
    answers BUSY at once, whatever the timeout. Later connections find the mode set."""
    for _ in range(_WAL_TRIES):
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as busy:
            if "locked" not in str(busy):
                raise
            time.sleep(_WAL_PAUSE_SECONDS)
    cursor.execute("PRAGMA journal_mode = WAL")
