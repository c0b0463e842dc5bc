"""Driver errors become StoreUnavailable where they are called."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from june_tts.errors import StoreUnavailable

RETRY_AFTER_SECONDS = 1.0
FULL = ("SQLITE_FULL", "53100")
"""The end of the names of errors of a full disk: SQLite's and PostgreSQL's."""
# OSError covers refused connections, name resolution and every kind of timeout.
DRIVER_ERRORS = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, sqlite3.Error, OSError)


@contextmanager
def wrapped() -> Iterator[None]:
    """Raise StoreUnavailable for whatever a driver raises inside.

    The cause is named by its class and SQLSTATE and not chained: PostgreSQL's DETAIL can quote a whole
    row, transcript included, and this message goes on the wire and into logs.
    """
    try:
        yield
    except DRIVER_ERRORS as error:
        name = name_of(error)
        what = "has no room left on its disk" if name.endswith(FULL) else "cannot be reached"
        raise StoreUnavailable(
            f"the voice library {what} ({name})", retry_after=RETRY_AFTER_SECONDS
        ) from None


def name_of(error: BaseException) -> str:
    """ "ConnectionRefusedError", "CannotConnectNowError 57P03", "OperationalError SQLITE_FULL"."""
    root = root_of(error)
    code = getattr(root, "sqlstate", None) or getattr(root, "sqlite_errorname", None)
    return f"{type(root).__name__} {code}" if code else type(root).__name__


def root_of(error: BaseException) -> BaseException:
    """The driver's own error below SQLAlchemy's wrapping."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error
