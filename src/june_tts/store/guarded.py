"""A database that is slow or gone costs each caller a known time, and later callers none."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from june_tts.errors import StoreUnavailable
from june_tts.store.breaker import Breaker
from june_tts.store.faults import name_of, root_of

MOST_AT_ONCE = 256
"""Transactions that run or wait for a connection. More than that is a pile-up and no queue."""
SLOW_SECONDS = 0.25
"""What fails sooner made nobody wait."""
_GONE = (OSError, PoolTimeout, asyncpg.InterfaceError)
_GONE_STATES = ("08", "53", "57P", "57014")
"""SQLSTATEs: connection failures, no resources, shutting down or starting up, statement timed out."""


class GuardedEngine(AsyncEngine):
    """An engine whose transactions end in time: with `begin`, waiting for a connection included."""

    def __init__(self, engine: AsyncEngine, breaker: Breaker, seconds: float) -> None:
        """`seconds`: from asking for a transaction to its end."""
        super().__init__(engine.sync_engine)
        self.breaker = breaker
        self._seconds = seconds
        self._at_once = 0

    def reading(self) -> "GuardedEngine":
        """The same connections without transactions: a question is one round trip instead of three."""
        return GuardedEngine(
            self.execution_options(isolation_level="AUTOCOMMIT"), self.breaker, self._seconds
        )

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Raises: StoreUnavailable at once, where the database is known to be gone."""
        if self._at_once >= MOST_AT_ONCE:
            raise StoreUnavailable(
                f"the voice library is busy: {self._at_once} calls wait for it", retry_after=1.0
            )
        self.breaker.enter()
        self._at_once += 1
        began = time.monotonic()
        try:
            # a timeout of ours and not the driver's: cancelled, SQLAlchemy drops the connection; timed out by
            # the driver, it would roll back on it first and wait as long again
            async with asyncio.timeout(self._seconds), super().begin() as connection:
                yield connection
        except Exception as error:
            self._judge(error, time.monotonic() - began)
            raise
        except BaseException:
            self.breaker.left()
            raise
        else:
            self.breaker.answered()
        finally:
            self._at_once -= 1

    def _judge(self, error: Exception, seconds: float) -> None:
        if _gone(error) and seconds > SLOW_SECONDS:
            self.breaker.failed(name_of(error), seconds)
        else:
            self.breaker.answered()  # it said no, but it said so


def _gone(error: Exception) -> bool:
    state = getattr(root_of(error), "sqlstate", None) or ""
    return (
        isinstance(root_of(error), _GONE)
        or state.startswith(_GONE_STATES)
        or (isinstance(error, DBAPIError) and error.connection_invalidated)
    )
