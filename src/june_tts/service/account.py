"""What one caller has left, as this process knows it. Pure: no clock, no I/O.

Budget is leased from a ledger in lots, so that most requests are answered from memory. A lot is as large as
the need of one request at first, and doubles while it does not last a second: slow callers are counted to the
request, fast ones ask seldom.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from june_tts.types import Budget, BudgetKind, BudgetWindow, Grant, KeyLimits, Order

LOT = 0.02
"""Of a budget, at most: what another replica may have leased when it is refused here."""
QUICK_SECONDS = 1.0
"""A lot that was used up sooner was too small."""
IDLE_SECONDS = 2.0
"""After this what was leased is given back."""
SOME = 0.001
"""Of a unit: needed of what is charged afterwards, so that nobody begins with a budget that is used up."""

_BUDGETS: tuple[tuple[BudgetKind, BudgetWindow], ...] = (
    ("requests", "minute"),
    ("characters", "minute"),
    ("audio_seconds", "minute"),
    ("characters", "day"),
    ("characters", "month"),
    ("audio_seconds", "day"),
    ("audio_seconds", "month"),
)


def budgets(limits: KeyLimits) -> tuple[Budget, ...]:
    """Those that bound something."""
    found = (Budget(kind, window, getattr(limits, f"{kind}_per_{window}") or 0) for kind, window in _BUDGETS)
    return tuple(budget for budget in found if budget.limit)


@dataclass(slots=True)
class Lease:
    """What is leased of one budget."""

    budget: Budget
    period: str = ""
    known: float = 0.0
    """Used of the day or month `period`."""
    balance: float = 0.0
    """To be spent; below 0 it is owed."""
    lot: float = 0.0
    renewed: float = float("-inf")
    owed: float = 0.0
    """Taken of the day or month while the shared ledger was away."""
    alone: bool = False
    """It has been away since it last answered, and may come back without its memory."""
    refused_until: float = float("-inf")
    refused_need: float = 0.0
    fits_at: float = 0.0

    @property
    def asked(self) -> bool:
        """Whether a ledger has been asked."""
        return self.renewed > float("-inf")

    def repay(self, period: str) -> Order:
        """What brings it to nothing."""
        return self._known(Order(self.budget, charge=-self.balance), period)

    def _known(self, order: Order, period: str) -> Order:
        known = self.known if self.period == period else 0.0
        return replace(order, known=known, certain=self.alone)

    def order(self, need: float, now: float, period: str) -> Order:
        """What to ask the ledger for, so that `need` can be spent; now, by the monotonic clock."""
        quick = now - self.renewed < QUICK_SECONDS
        self.lot = min(max(2 * self.lot, need, 1.0), LOT * self.budget.limit) if quick else 0.0
        order = Order(
            self.budget,
            charge=max(0.0, -self.balance),
            need=max(0.0, need - max(0.0, self.balance)),
            want=self.lot,
        )
        return self._known(order, period)

    def settle(self, order: Order, grant: Grant, now: float) -> None:
        """Take what the ledger gave for that order."""
        self.balance += order.charge + grant.granted
        self.renewed = now
        if grant.wait:
            self.refused_until = now + min(grant.wait, QUICK_SECONDS)
            self.refused_need, self.fits_at = order.need, now + grant.wait

    def learn(self, left: float, period: str) -> None:
        """The shared ledger says what is left of it, and knows what was owed."""
        self.period, self.known = period, max(0.0, self.budget.limit - left)
        self.owed, self.alone = 0.0, False

    def refused(self, need: float, now: float) -> bool:
        """Whether it is known without asking that this need does not fit."""
        return now < self.refused_until and need - max(0.0, self.balance) >= self.refused_need


@dataclass(slots=True)
class Account:
    """A caller's leases and streams."""

    key_id: str
    limits: KeyLimits
    """As they apply: defaults are filled in."""
    source: tuple[KeyLimits, KeyLimits]
    """What they were made of; others mean that they have changed."""
    leases: tuple[Lease, ...] = ()
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    active: int = 0
    """Streams that speak."""
    peak: int = 0
    """The most since it was last told."""
    held: int = 0
    """Places for streams that the shared ledger knows of."""
    told: float = float("-inf")
    full_until: float = float("-inf")
    requests: int = 0
    """These three: used since it was last written down."""
    characters: int = 0
    audio_seconds: float = 0.0

    def needs(self, requests: int, characters: int) -> list[tuple[Lease, float]]:
        """What a request takes of each lease."""
        amounts = {"requests": requests, "characters": max(SOME, characters), "audio_seconds": SOME}
        return [(lease, amount) for lease in self.leases if (amount := amounts[lease.budget.kind])]

    def entrance(self) -> list[tuple[Lease, float]]:
        """What coming in takes: a request."""
        return [(lease, 1.0) for lease in self.leases if lease.budget.kind == "requests"]

    def charge(self, kind: BudgetKind, amount: float) -> None:
        """Afterwards, whatever is left; below 0 it is given back."""
        for lease in self.leases:
            if lease.budget.kind == kind:
                lease.balance -= amount

    def unsettled(self, now: float, *, all: bool = False) -> list[Lease]:
        """What owes, and what is leased and not used (`all`: whatever is leased)."""
        return [
            lease
            for lease in self.leases
            if lease.balance < 0
            or lease.owed
            or (lease.balance > 0 and (all or now - lease.renewed >= IDLE_SECONDS))
        ]


def covered(needs: Iterable[tuple[Lease, float]]) -> bool:
    return all(lease.balance >= need for lease, need in needs)


def spend(needs: Iterable[tuple[Lease, float]]) -> None:
    for lease, need in needs:
        lease.balance -= need
