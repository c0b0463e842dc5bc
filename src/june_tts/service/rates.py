"""Rates and quotas: lets each caller have what it may, nearly always from memory, over all replicas."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from datetime import datetime

from june_tts.errors import RateLimited
from june_tts.ports import Ledger, LocalLedger
from june_tts.service.account import Account, Lease, budgets, covered, spend
from june_tts.service.charge import AccountCharge
from june_tts.service.places import Places
from june_tts.service.terms import current_terms
from june_tts.service.usage import UsageBook, utc_now
from june_tts.telemetry.metrics.access import AccessMetrics
from june_tts.types import Budget, Grant, KeyLimits, Order

TICK_SECONDS = 0.5
WRITE_SECONDS = 10.0
"""Between two writings of what was used: a process that is killed forgets so much of it."""

_PAID: ContextVar[list[int]] = ContextVar("paid")
"""Requests that were charged when they came in: what they say first costs no request more."""


@dataclass(frozen=True, slots=True)
class State:
    """What a caller has left of one budget."""

    budget: Budget
    left: float
    reset: float
    """Seconds until it is whole again."""


class RateMeter:
    """A Meter. `start` before the first use, `run` beside it, `close` after the last."""

    def __init__(
        self,
        limits: Callable[[str], KeyLimits],
        defaults: KeyLimits,
        local: LocalLedger,
        shared: Ledger | None,
        metrics: AccessMetrics,
        *,
        owner: str,
        book: UsageBook,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], datetime] = utc_now,
    ) -> None:
        """
        Args:
            limits: of a caller by its key id; raises Unauthorized where its key is no good any more.
            defaults: where a caller's own say nothing.
            local: used alone where there is no shared one, and while that is away.
            owner: this process, among all that use the shared ledger.
        """
        self._limits = limits
        self.defaults = defaults
        self._local = local
        self._shared = shared
        self._metrics = metrics
        self._places = Places(shared, owner, clock)
        self._book = book
        self._clock = clock
        self._today = today
        self._accounts: dict[str, Account] = {}
        self._written = clock()

    async def start(self) -> None:
        """Read what was used before. Raises: StoreUnavailable."""
        await self._book.read()

    async def run(self) -> None:
        """Keep the books, for ever."""
        await asyncio.gather(self._ticks(), self._places.run())

    async def close(self) -> None:
        """Give everything back and write down the rest."""
        for account in list(self._accounts.values()):
            await self._settle(account, all=True)
            await self._places.tell(account, all=True)
        await self._book.write(self._accounts.values())

    async def enter(self, key_id: str) -> None:
        """Charge a request as it comes in, before its body is read; what it then says first is paid for.

        Raises: RateLimited, Unauthorized.
        """
        account = self._account(key_id)
        await self._spend(account, account.entrance())
        account.requests += 1
        _PAID.set([1])

    async def admit(self, characters: int) -> AccountCharge:
        """As `Meter` says."""
        account = self._account(current_terms().caller)
        requests = _unpaid()
        needs = account.needs(requests, characters)
        await self._spend(account, needs)
        try:
            await self._places.take(account)
        except RateLimited:
            spend((lease, -need) for lease, need in needs)
            self._metrics.limited.labels("streams").inc()
            raise
        account.requests += requests
        account.characters += characters
        return AccountCharge(account, requests, characters, self._places.leave)

    def state(self, key_id: str) -> list[State]:
        """What is left of each budget of a caller. Raises: Unauthorized."""
        return [self._state(key_id, lease) for lease in self._account(key_id).leases]

    async def tick(self) -> None:
        """Settle what is owed, give back what is not used, write down what was."""
        for account in list(self._accounts.values()):
            await self._settle(account)
            await self._places.tell(account)
        if self._clock() - self._written >= WRITE_SECONDS:
            self._written = self._clock()
            await self._book.write(self._accounts.values())

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            await self.tick()

    def _account(self, key_id: str) -> Account:
        given = self._limits(key_id)
        account = self._accounts.get(key_id)
        # by identity: every request comes by here
        if account and account.source[0] is given and account.source[1] is self.defaults:
            return account
        source, limits = (given, self.defaults), _merged(given, self.defaults)
        if account is None:
            account = self._accounts[key_id] = Account(key_id, limits, source)
        before: Mapping[Budget, Lease] = {lease.budget: lease for lease in account.leases}
        account.limits, account.source = limits, source
        account.leases = tuple(
            before.get(budget) or self._lease(key_id, budget) for budget in budgets(limits)
        )
        return account

    def _lease(self, key_id: str, budget: Budget) -> Lease:
        return Lease(budget, budget.period(self._today()), self._book.known(key_id, budget))

    async def _spend(self, account: Account, needs: Sequence[tuple[Lease, float]]) -> None:
        """Raises: RateLimited."""
        if not covered(needs):
            self._refuse_known(needs)
            async with account.lock:
                if not covered(needs):
                    await self._lease_more(account, needs)
                spend(needs)
        else:
            spend(needs)

    def _refuse_known(self, needs: Sequence[tuple[Lease, float]]) -> None:
        """A caller that was just refused does not get to ask the shared ledger again and again."""
        now = self._clock()
        for lease, need in needs if self._shared else ():
            if lease.refused(need, now):
                self._refuse(lease, lease.fits_at - now)

    async def _lease_more(self, account: Account, needs: Sequence[tuple[Lease, float]]) -> None:
        now, today = self._clock(), self._today()
        orders = [lease.order(need, now, lease.budget.period(today)) for lease, need in needs]
        grants = await self._take(account, [lease for lease, _ in needs], orders)
        for (lease, _), order, grant in zip(needs, orders, grants, strict=True):
            lease.settle(order, grant, now)
        for (lease, _), grant in zip(needs, grants, strict=True):
            if grant.wait:
                self._refuse(lease, grant.wait)

    async def _take(
        self, account: Account, leases: Sequence[Lease], orders: Sequence[Order]
    ) -> Sequence[Grant]:
        if self._shared:
            owing = [
                replace(order, charge=order.charge + lease.owed)
                for order, lease in zip(orders, leases, strict=True)
            ]
            grants = await self._shared.take(account.key_id, owing)
            if grants is not None:
                self._learn(account, leases, grants)
                return grants
        return self._take_alone(account, leases, orders)

    def _learn(self, account: Account, leases: Sequence[Lease], grants: Sequence[Grant]) -> None:
        """So that memory alone can go on from here."""
        for lease, grant in zip(leases, grants, strict=True):
            self._local.learn(account.key_id, lease.budget, grant.left)
            lease.learn(grant.left, lease.budget.period(self._today()))

    def _take_alone(
        self, account: Account, leases: Sequence[Lease], orders: Sequence[Order]
    ) -> Sequence[Grant]:
        """From memory. What was taken while the shared ledger is away is owed to it."""
        grants = self._local.take_now(account.key_id, orders)
        for lease, order, grant in zip(leases, orders, grants, strict=True):
            # a minute is over sooner than an outage
            if self._shared and lease.budget.window != "minute":
                lease.owed += order.charge + grant.granted
                lease.alone = True
        return grants

    def _refuse(self, lease: Lease, wait: float) -> None:
        name = lease.budget.name
        self._metrics.limited.labels(name).inc()
        raise RateLimited(
            f"this API key has used up its {lease.budget.limit} {name.replace('_', ' ')}", retry_after=wait
        )

    async def _settle(self, account: Account, *, all: bool = False) -> None:
        if not account.unsettled(self._clock(), all=all):
            return
        async with account.lock:
            leases, today = account.unsettled(self._clock(), all=all), self._today()
            orders = [lease.repay(lease.budget.period(today)) for lease in leases]
            for lease in leases:
                lease.balance = 0.0
            await self._take(account, leases, orders)

    def _state(self, key_id: str, lease: Lease) -> State:
        budget = lease.budget
        left = self._local.left(key_id, budget) if lease.asked else budget.limit - lease.known
        left = min(float(budget.limit), max(0.0, left + lease.balance))
        reset = budget.rest(self._today()) or (budget.limit - left) * 60 / budget.limit
        return State(budget, left, reset)


def _unpaid() -> int:
    """Requests that this stream costs."""
    paid = _PAID.get([0])
    if paid[0]:
        paid[0] -= 1
        return 0
    return 1


def _merged(given: KeyLimits, defaults: KeyLimits) -> KeyLimits:
    own = {one.name: value for one in fields(KeyLimits) if (value := getattr(given, one.name)) is not None}
    return replace(defaults, **own)
