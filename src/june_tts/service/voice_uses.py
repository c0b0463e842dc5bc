"""Counts how often each voice is spoken; the library keeps it, over all replicas."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from june_tts.errors import StoreUnavailable
from june_tts.ports import VoiceUseStore
from june_tts.types import VoiceUse

FLUSH_SECONDS: Final = 5.0
MOST_VOICES: Final = 10_000
"""That wait to be counted while the library is away; further ones are not."""
_LAST_FLUSH_SECONDS = 2.0


class VoiceUses:
    """Counting costs no I/O; `run` writes what was counted every few seconds, and `close` the rest.

    What was counted in the last seconds is lost with a process that is killed; a flush that the database
    carried out and could not confirm is counted twice. These counts say what to warm, not what to charge.
    """

    def __init__(self, store: VoiceUseStore, flush_seconds: float = FLUSH_SECONDS) -> None:
        self._store = store
        self._flush_seconds = flush_seconds
        self._counted: Counter[str] = Counter()
        self._last = datetime.now(UTC)

    def count(self, voice_id: str) -> None:
        """It begins to speak."""
        if voice_id in self._counted or len(self._counted) < MOST_VOICES:
            self._counted[voice_id] += 1
            self._last = datetime.now(UTC)

    async def known(self) -> Mapping[str, VoiceUse]:
        """By voice, all replicas together; of others without their last seconds. Raises: StoreUnavailable."""
        found = dict(await self._store.all())
        for voice_id, uses in self._counted.items():
            before = found.get(voice_id, VoiceUse(0, self._last))
            found[voice_id] = VoiceUse(before.uses + uses, max(before.last_used, self._last))
        return found

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(self._flush_seconds)
            await self.flush()

    async def flush(self) -> None:
        """Write what was counted; where the library is away, next time."""
        counted, self._counted = self._counted, Counter()
        if not counted:
            return
        try:
            await self._store.add(counted, self._last)
        except BaseException as failed:
            self._counted.update(counted)
            if not isinstance(failed, StoreUnavailable):
                raise

    async def close(self) -> None:
        try:
            async with asyncio.timeout(_LAST_FLUSH_SECONDS):
                await self.flush()
        except TimeoutError:
            return
