"""The budgets of callers over all web workers: the process with the engines keeps them."""

import asyncio
from collections.abc import Callable, Sequence

from june_tts.engine.host_link import HostLink
from june_tts.engine.host_messages import Answer, Held, Hold, Lend, Lent, ToHost
from june_tts.errors import JuneError
from june_tts.types import Grant, Order

ANSWER_SECONDS = 1.0
"""A round trip takes a tenth of a millisecond: after this the host hangs, and is not waited for."""


class HostedLedger:
    """A Ledger. The link is the caller's."""

    def __init__(self, link: HostLink) -> None:
        self._link = link

    async def take(self, key_id: str, orders: Sequence[Order]) -> Sequence[Grant] | None:
        """See `ports.Ledger`."""
        answer = await self._ask(lambda id: Lend(id, key_id, tuple(orders)))
        return answer.grants if isinstance(answer, Lent) and len(answer.grants) == len(orders) else None

    async def stream(self, key_id: str, owner: str, streams: int, most: int) -> bool | None:
        """See `ports.Ledger`."""
        answer = await self._ask(lambda id: Hold(id, key_id, owner, streams, most))
        return answer.fits if isinstance(answer, Held) else None

    async def _ask(self, message: Callable[[int], ToHost]) -> Answer | None:
        """None where the host is away, or says nothing."""
        if not self._link.connected or self._link.silent_since is not None:
            return None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                call = await self._link.begin(message)
                try:
                    answer, _ = await call.next()
                finally:
                    self._link.finish(call)
        except (JuneError, TimeoutError):
            return None
        return answer
