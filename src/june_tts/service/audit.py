"""Who changed a voice or a key, when, and how it ended. Never what anyone wrote or said, and no secret."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog

from june_tts.errors import InvalidRequest, JuneError, StoreUnavailable
from june_tts.ports import AuditStore
from june_tts.service.terms import current_terms
from june_tts.types import AuditEntry

MOST_OF_A_PAGE = 1000

log = structlog.get_logger(__name__)


class Audit:
    """Writes the log. Whose request it is comes from its terms, its id from the log's context."""

    def __init__(self, store: AuditStore) -> None:
        self._store = store

    @asynccontextmanager
    async def change(self, action: str, subject: str) -> AsyncIterator[None]:
        """Record what is done within, by its end. `action`: such as `voice.add`; `subject`: an id.

        A change that was made stays made where the log cannot be written: that it could not is an error in
        the server's own log.
        """
        outcome = "cancelled"
        try:
            yield
            outcome = "success"
        except JuneError as refusal:
            outcome = refusal.code
            raise
        except Exception:
            outcome = "internal"
            raise
        finally:
            await self._record(action, subject, outcome)

    async def page(self, before: int | None, limit: int) -> Sequence[AuditEntry]:
        """The newest first, those with numbers below `before`. Raises: InvalidRequest, StoreUnavailable."""
        if not 1 <= limit <= MOST_OF_A_PAGE:
            raise InvalidRequest(f"limit is {limit}: expected 1 to {MOST_OF_A_PAGE}", param="limit")
        return await self._store.list(before, limit)

    async def prune(self, keep_days: int) -> int:
        """Forget entries older than that; 0 keeps all. Returns: how many. Raises: StoreUnavailable."""
        if not keep_days:
            return 0
        return await self._store.prune(datetime.now(UTC) - timedelta(days=keep_days))

    async def _record(self, action: str, subject: str, outcome: str) -> None:
        request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))
        entry = AuditEntry(datetime.now(UTC), current_terms().caller, action, subject, request_id, outcome)
        try:
            await self._store.record(entry)
        except StoreUnavailable as gone:
            log.error("audit entry lost", action=action, outcome=outcome, reason=str(gone))
