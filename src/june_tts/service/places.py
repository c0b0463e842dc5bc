"""How many streams a caller speaks at once, over all replicas and workers."""

import asyncio
import time
from collections.abc import Callable

from june_tts.errors import RateLimited
from june_tts.ports import Ledger
from june_tts.service.account import Account

TELL_SECONDS = 5.0
"""Between two times that the shared ledger is told of streams that go on."""
FULL_SECONDS = 0.1
"""For so long after a refusal the ledger is not asked again."""
RETRY_SECONDS = 1.0
SPARE_SECONDS = 0.05
"""A place that was not used for so long, or twice that, is given back."""
LOOKS = 2
"""Until then, at an account whose stream has ended: the first finds what was used up to now."""


class Places:
    """Places are held in the shared ledger before they are used, and for a moment after it, so that a caller
    whose streams follow each other does not ask for each."""

    def __init__(
        self, shared: Ledger | None, owner: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shared = shared
        self._owner = owner
        self._clock = clock
        self._spare: dict[str, tuple[Account, int]] = {}
        """Accounts that have places to give back, by key id, and how often to look yet."""
        self._some = asyncio.Event()

    async def run(self) -> None:
        """Give back what is not used, for ever."""
        while True:
            await self._some.wait()
            await asyncio.sleep(SPARE_SECONDS)
            await self.give_back()

    async def take(self, account: Account) -> None:
        """One more stream. Raises: RateLimited."""
        most = account.limits.streams
        if most and account.active >= (account.held if self._shared else most):
            async with account.lock:
                await self._more(account, most)
                _begin(account)
            return
        _begin(account)

    def leave(self, account: Account) -> None:
        """A stream is over."""
        account.active -= 1
        if account.active < account.held:
            self._spare[account.key_id] = (account, LOOKS)
            self._some.set()

    async def give_back(self) -> None:
        """Look once at the accounts that had more places than they used."""
        self._some.clear()
        looked, self._spare = self._spare, {}
        for key_id, (account, looks) in looked.items():
            await self.tell(account)
            if looks > 1 and account.active < account.held:
                self._spare.setdefault(key_id, (account, looks - 1))
        if self._spare:
            self._some.set()

    async def tell(self, account: Account, *, all: bool = False) -> None:
        """Keep the places of streams that go on, give back the others (`all`: every one)."""
        now, peak = self._clock(), max(account.peak, account.active)
        account.peak = account.active
        stale = now - account.told >= TELL_SECONDS
        if self._shared is None or not account.held or not (all or stale or peak < account.held):
            return
        async with account.lock:
            before, keep = account.held, 0 if all else max(peak, account.active)
            # at once: nobody may begin with a place that is on its way back
            account.held = keep
            if await self._shared.stream(account.key_id, self._owner, keep, keep) is None:
                account.held = before
            else:
                account.told = now

    async def _more(self, account: Account, most: int) -> None:
        wanted, now = account.active + 1, self._clock()
        if wanted > most or now < account.full_until:
            raise _full(most)
        if self._shared is None or wanted <= account.held:
            return
        fits = await self._shared.stream(account.key_id, self._owner, wanted, most)
        if fits:
            account.held, account.told = wanted, now
        elif fits is False:
            account.full_until = now + FULL_SECONDS
            raise _full(most)


def _begin(account: Account) -> None:
    account.active += 1
    account.peak = max(account.peak, account.active)


def _full(most: int) -> RateLimited:
    return RateLimited(f"this API key has its {most} streams at once already", retry_after=RETRY_SECONDS)
