"""Where keys, usage and the audit log are kept, and budgets are drawn from."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from june_tts.types import (
    ApiKey,
    AuditEntry,
    Budget,
    Grant,
    KeyLimits,
    Order,
    Usage,
)


class KeyStore(Protocol):
    """Keeps API keys. Every call may raise StoreUnavailable."""

    async def add(self, key: ApiKey) -> ApiKey:
        """Keep a new key durably. Returns it with its revision."""
        ...

    async def change(
        self, key_id: str, *, limits: KeyLimits | None = None, revoked_at: datetime | None = None
    ) -> ApiKey:
        """Keep what is given in place of what was there; who is revoked already stays so since then.

        Raises: KeyNotFound.
        """
        ...

    async def since(self, revision: int) -> Sequence[ApiKey]:
        """Keys added or changed after that revision, in the order of theirs; 0 for all."""
        ...


class AuditStore(Protocol):
    """Keeps who changed what. Every call may raise StoreUnavailable."""

    async def record(self, entry: AuditEntry) -> None: ...

    async def list(self, before: int | None, limit: int) -> Sequence[AuditEntry]:
        """The newest first, numbers below `before` alone."""
        ...

    async def prune(self, before: datetime) -> int:
        """Forget what is older. Returns: how many entries."""
        ...


class UsageStore(Protocol):
    """Counts what callers had, by days. Every call may raise StoreUnavailable."""

    async def add(self, used: Sequence[Usage]) -> None:
        """Add these counts to those of the same key and day."""
        ...

    async def since(self, day: date) -> Sequence[Usage]:
        """Every count from that day on."""
        ...


class Ledger(Protocol):
    """Keeps the budgets of callers."""

    async def take(self, key_id: str, orders: Sequence[Order]) -> Sequence[Grant] | None:
        """A grant for each order, or None where the ledger cannot be reached."""
        ...

    async def stream(self, key_id: str, owner: str, streams: int, most: int) -> bool | None:
        """Hold places for so many streams of a caller, in place of what `owner` held.

        Returns: False where all owners together would hold more than `most`; None out of reach.
        """
        ...


class LocalLedger(Ledger, Protocol):
    """A ledger in the memory of this process, which is always there."""

    def take_now(self, key_id: str, orders: Sequence[Order]) -> Sequence[Grant]:
        """As `take`, without waiting."""
        ...

    def learn(self, key_id: str, budget: Budget, left: float) -> None:
        """Go on from what another ledger says is left."""
        ...

    def left(self, key_id: str, budget: Budget) -> float: ...
