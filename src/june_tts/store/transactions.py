"""Short transactions whose driver errors are ours; what the stores beside the voices share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from june_tts.store.faults import wrapped

# the two dialects share the method but no class that has it
INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Raises: StoreUnavailable."""
    with wrapped():
        async with engine.begin() as connection:
            yield connection
