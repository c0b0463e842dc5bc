"""Keys and the audit log for the command line: the same rules as the admin API's, without a server."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

from june_tts.bootstrap import database_url
from june_tts.bootstrap.access import open_desk
from june_tts.bootstrap.sharing import shared_of
from june_tts.service.audit import Audit
from june_tts.service.key_desk import KeyDesk
from june_tts.service.terms import Terms, terms
from june_tts.settings import load
from june_tts.store import open_stores
from june_tts.telemetry import log
from june_tts.telemetry.metrics import Metrics

CALLER = "cli"
"""Who did it, in the audit log."""

T = TypeVar("T")


def with_desk(use: Callable[[KeyDesk, Audit], Awaitable[T]]) -> T:
    """Open the database, and Redis where there is one, so that servers hear of a change at once.

    Raises:
        StoreUnavailable: the database cannot be opened.
    """
    settings = load().settings
    log.configure("warning", "console")

    async def run() -> T:
        async with AsyncExitStack() as stack:
            stores = await open_stores(database_url(settings), settings.data_dir)
            stack.push_async_callback(stores.voices.close)
            shared = await shared_of(settings, Metrics(), stack)
            return await use(open_desk(stores.keys, stores.audit, shared), Audit(stores.audit))

    with terms(Terms(caller=CALLER)):
        return asyncio.run(run())
