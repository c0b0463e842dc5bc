"""The budgets of callers in the memory of one process."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import repeat

from june_tts.cache.budgets import MINUTE, settled, wait_of
from june_tts.types import Budget, Grant, Order


def utc_now() -> datetime:
    return datetime.now(UTC)


class MemoryLedger:
    """A Ledger. It holds one entry for each caller and budget, and callers are those with a key."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, today: Callable[[], datetime] = utc_now
    ) -> None:
        """`clock`: for minutes, which setting the machine's time leaves alone; `today`: for the others."""
        self._clock = clock
        self._today = today
        self._full_at: dict[tuple[str, str], float] = {}
        self._used: dict[tuple[str, str], tuple[str, float]] = {}
        """Window and count."""
        self._streams: dict[str, dict[str, int]] = {}

    async def take(self, key_id: str, orders: Sequence[Order]) -> Sequence[Grant]:
        return self.take_now(key_id, orders)

    def take_now(self, key_id: str, orders: Sequence[Order]) -> Sequence[Grant]:
        now, today = self._clock(), self._today()
        used = [max(0.0, self._used_of(key_id, order, now, today) + order.charge) for order in orders]
        waits = [
            wait_of(before, order, order.budget.rest(today))
            for before, order in zip(used, orders, strict=True)
        ]
        fits = not any(waits)
        grants = [settled(*given) for given in zip(used, orders, repeat(fits), waits)]
        for order, grant in zip(orders, grants, strict=True):
            self.learn(key_id, order.budget, grant.left)
        return grants

    async def stream(self, key_id: str, owner: str, streams: int, most: int) -> bool:
        held = self._streams.setdefault(key_id, {})
        if streams > held.get(owner, 0) and sum(held.values()) - held.get(owner, 0) + streams > most:
            return False
        held[owner] = streams
        if not streams:
            del held[owner]
        return True

    def learn(self, key_id: str, budget: Budget, left: float) -> None:
        """Go on from what another ledger said is left."""
        used, place = budget.limit - left, (key_id, budget.name)
        if budget.window == "minute":
            self._full_at[place] = self._clock() + used * MINUTE / budget.limit
        else:
            self._used[place] = (budget.period(self._today()), max(0.0, used))

    def left(self, key_id: str, budget: Budget) -> float:
        return budget.limit - self._used_of(key_id, Order(budget), self._clock(), self._today())

    def _used_of(self, key_id: str, order: Order, now: float, today: datetime) -> float:
        budget = order.budget
        if budget.window == "minute":
            return max(0.0, self._full_at.get((key_id, budget.name), now) - now) * budget.limit / MINUTE
        window, used = self._used.get((key_id, budget.name), ("", 0.0))
        if window != budget.period(today):
            return order.known
        return max(used, order.known) if order.certain else used
