"""What callers had, written down, so that a restart does not forget a month."""

from collections.abc import Callable, Collection
from datetime import UTC, date, datetime

import structlog

from june_tts.errors import StoreUnavailable
from june_tts.ports import UsageStore
from june_tts.service.account import Account
from june_tts.types import Budget, Usage

log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


class UsageBook:
    """`read` before the first use, `write` now and then."""

    def __init__(self, store: UsageStore | None, today: Callable[[], datetime] = utc_now) -> None:
        """`store`: None where nothing need be remembered."""
        self._store = store
        self._today = today
        self._past: dict[tuple[str, str, str], float] = {}

    async def read(self) -> None:
        """What was used this month, up to now. Raises: StoreUnavailable."""
        if self._store is None:
            return
        today = self._today().date()
        for used in await self._store.since(today.replace(day=1)):
            self._remember(used, today)

    def known(self, key_id: str, budget: Budget) -> float:
        """What was used of this day or month when it was read."""
        return self._past.get((key_id, budget.name, budget.period(self._today())), 0.0)

    async def write(self, accounts: Collection[Account]) -> None:
        """Add what accounts used since; what cannot be written now stays for the next time."""
        day = self._today().date()
        pairs = [(account, one) for account in accounts if (one := _used(account, day))]
        if self._store is None or not pairs:
            return
        try:
            await self._store.add([one for _, one in pairs])
        except StoreUnavailable as gone:
            log.warning("usage not written down yet", reason=str(gone))
            return
        for account, one in pairs:
            account.requests -= one.requests
            account.characters -= one.characters
            account.audio_seconds -= one.audio_seconds

    def _remember(self, used: Usage, today: date) -> None:
        periods = {"month": f"{used.day:%Y-%m}"}
        if used.day == today:
            periods["day"] = f"{used.day:%Y-%m-%d}"
        for window, period in periods.items():
            for kind in ("characters", "audio_seconds"):
                place = (used.key_id, f"{kind}_per_{window}", period)
                self._past[place] = self._past.get(place, 0.0) + getattr(used, kind)


def _used(account: Account, day: date) -> Usage | None:
    if not (account.requests or account.characters or account.audio_seconds):
        return None
    return Usage(account.key_id, day, account.requests, account.characters, account.audio_seconds)
