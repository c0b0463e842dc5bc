"""A store of jobs for one test, with nothing else in its database: made when it is first asked."""

import sqlite3
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from june_tts.store import Limits
from june_tts.store.database import sqlite_engine
from june_tts.store.jobs import SqlJobStore
from june_tts.store.jobs_schema import tables


@asynccontextmanager
async def jobs_alone() -> AsyncIterator[SqlJobStore]:
    with tempfile.TemporaryDirectory(prefix="june-jobs-") as folder:
        engine = sqlite_engine(Path(folder) / "jobs.db", Limits())
        event.listen(engine.sync_engine, "connect", _create)
        try:
            yield SqlJobStore(engine)
        finally:
            await engine.dispose()


def _create(connection: sqlite3.Connection, _record: object) -> None:
    cursor, dialect = connection.cursor(), sqlite.dialect()
    # nothing is killed here, and a busy disk takes half a second for each commit
    cursor.execute("PRAGMA synchronous = OFF")
    for table in tables.sorted_tables:
        cursor.execute(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
        for index in table.indexes:
            cursor.execute(str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect)))
    cursor.close()
