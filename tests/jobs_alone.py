"""A store of jobs for one test, with nothing else in its database: made when it is first asked."""

import atexit
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import URL, NullPool, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.schema import CreateIndex, CreateTable

from june_tts.store.jobs import SqlJobStore
from june_tts.store.jobs_schema import tables

_FOLDER = Path(tempfile.mkdtemp(prefix="june-jobs-"))
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)


@asynccontextmanager
async def jobs_alone() -> AsyncIterator[SqlJobStore]:
    path = _FOLDER / f"{uuid4().hex}.db"
    # a connection a call: the fuzz tests have an event loop for each request
    url = URL.create("sqlite+aiosqlite", database=str(path))
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"timeout": 15.0})
    event.listen(engine.sync_engine, "connect", _create)
    # not in a `finally`: the fuzz tests go on after the loop that opened this, which closes what is open
    yield SqlJobStore(engine)
    await engine.dispose()
    path.unlink(missing_ok=True)


def _create(connection: sqlite3.Connection, _record: object) -> None:
    cursor, dialect = connection.cursor(), sqlite.dialect()
    # nothing is killed here, and a busy disk takes half a second for each commit
    for pragma in ("synchronous = OFF", "journal_mode = WAL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    for table in tables.sorted_tables:
        cursor.execute(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
        for index in table.indexes:
            cursor.execute(str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect)))
    cursor.close()
