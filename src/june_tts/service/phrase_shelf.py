"""Where phrases are kept once they were made: in memory, and in Redis behind it where there is one."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from june_tts.ports import PhraseMemory, SharedPhrases
from june_tts.service.coding import Counted, Encode
from june_tts.telemetry.metrics.phrases import PhraseMetrics
from june_tts.types import AudioChunk, Phrase

Work = TypeVar("Work")
LOOKUP_SECONDS = 0.02
"""How long an answer waits for Redis. Making a phrase again is better than a pause before it; what comes
later is kept for the next one."""
MOST_UNDER_WAY = 64
"""Calls to Redis that nobody waits for; one more is not made."""


class PhraseShelf:
    """For one event loop. `close` it after the last call."""

    def __init__(
        self,
        memory: PhraseMemory,
        shared: SharedPhrases | None,
        metrics: PhraseMetrics,
        *,
        most_bytes: int,
    ) -> None:
        """`most_bytes`: of one phrase; 0: nothing is kept."""
        self._memory = memory
        self._shared = shared
        self._metrics = metrics
        self.most_bytes = most_bytes
        self.removals = 0
        """How often a voice became another one or was removed: whom a caller has found may be gone since."""
        self._recording: dict[bytes, str] = {}
        """Keys of phrases that are being made and kept, to the voices that speak them."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._gone: set[str] = set()
        """Voices whose phrases Redis may still have."""

    def get(self, key: bytes) -> Phrase | None:
        """From memory."""
        return self._memory.get(key)

    def records(self, key: bytes) -> bool:
        """Whether it is being made, and kept at its end."""
        return key in self._recording

    async def from_redis(self, key: bytes, voice_id: str) -> Phrase | None:
        """Kept in memory from here on. None where there is none, or not within LOOKUP_SECONDS."""
        if self._shared is None:
            return None
        asking = self._begin(self._fetch(self._shared, key, voice_id))
        if asking is None:
            return None
        await asyncio.wait({asking}, timeout=LOOKUP_SECONDS)
        return asking.result() if asking.done() and not asking.cancelled() else None

    async def anywhere(self, key: bytes) -> Phrase | None:
        """From memory, else from Redis, for which it waits; kept nowhere."""
        phrase = self._memory.get(key)
        if phrase is None and self._shared is not None:
            phrase = await self._shared.get(key, self.most_bytes)
        return phrase

    async def record(
        self, key: bytes, voice_id: str, chunks: AsyncGenerator[AudioChunk, None], encode: Encode
    ) -> AsyncGenerator[bytes, None]:
        """The chunks encoded, as they are made; kept if they come to their end."""
        parts: list[bytes] = []
        size, heard = 0, Counted()
        self._recording[key] = voice_id
        try:
            async with aclosing(encode(heard.of(chunks))) as encoded:
                async for data in encoded:
                    size += len(data)
                    if size <= self.most_bytes:
                        parts.append(data)
                    yield data
            # not there any more: the voice was removed while it spoke
            if size <= self.most_bytes and key in self._recording:
                self._keep(key, Phrase(b"".join(parts), heard.seconds), voice_id)
        finally:
            self._recording.pop(key, None)

    def pin(self, key: bytes, phrase: Phrase, voice_id: str, *, made: bool) -> bool:
        """Keep a phrase in memory until it is unpinned; one that was made just now in Redis, too.

        Returns: whether there was room.
        """
        if len(phrase.body) > self.most_bytes:
            return False
        if not made:
            return self._memory.put(key, phrase, voice_id, pinned=True)
        return self._keep(key, phrase, voice_id, pinned=True)

    def unpin(self, but: Collection[bytes]) -> None:
        """Only these stay pinned."""
        self._memory.unpin(but)

    def changed(self, voice_id: str) -> None:
        """A voice is another one now, or gone: nothing of it is kept from here on.

        Redis is told where something was kept here; what is only there, nobody asks for any more.
        """
        if self._forgotten(voice_id) and self._shared is not None:
            self._gone.add(voice_id)
            self._begin(self.drop_gone())

    async def forget(self, voice_id: str) -> None:
        """A voice was removed: nothing of it is kept from here on, in Redis neither."""
        self._forgotten(voice_id)
        if self._shared is not None:
            self._gone.add(voice_id)
            await self.drop_gone()

    async def drop_gone(self) -> None:
        """Have Redis drop what it could not be told of while it was away."""
        for voice_id in [*self._gone]:
            if self._shared is None or not await self._shared.forget(voice_id):
                return
            self._gone.discard(voice_id)

    async def written(self) -> None:
        """Wait until what is on its way to Redis has come there, or is lost."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _keep(self, key: bytes, phrase: Phrase, voice_id: str, *, pinned: bool = False) -> bool:
        """Returns: whether there was room for it in memory."""
        kept = self._memory.put(key, phrase, voice_id, pinned=pinned)
        self._metrics.stored.inc()
        if self._shared is not None:
            self._begin(self._shared.put(key, phrase, voice_id))
        return kept

    def _forgotten(self, voice_id: str) -> bool:
        """Returns: whether there was anything."""
        self.removals += 1
        making = [key for key, voice in self._recording.items() if voice == voice_id]
        for key in making:
            del self._recording[key]
        return self._memory.forget(voice_id) or bool(making)

    async def _fetch(self, shared: SharedPhrases, key: bytes, voice_id: str) -> Phrase | None:
        before = self.removals
        phrase = await shared.get(key, self.most_bytes)
        # not where a voice was removed meanwhile: it may be the one that speaks here
        if phrase is not None and before == self.removals:
            self._memory.put(key, phrase, voice_id)
        return phrase

    def _begin(self, work: Coroutine[Any, Any, Work]) -> "asyncio.Task[Work] | None":
        """Work that goes on by itself; None where there is too much of it already."""
        if len(self._tasks) >= MOST_UNDER_WAY:
            work.close()
            return None
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
