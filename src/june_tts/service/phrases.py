"""Speech that was made before: found at once, and kept where it was made to its end.

A phrase is kept when it is asked for the second time, and only where it sounds the same each time, or where
the settings allow what was drawn. See docs/decisions/phrase-cache.md.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from june_tts.errors import JuneError, StoreUnavailable, VoiceNotFound
from june_tts.ports import PhraseMemory, SharedPhrases
from june_tts.service.coding import Encode
from june_tts.service.phrase_key import Order, phrase_key
from june_tts.service.request_rules import reproducible
from june_tts.service.synthesis import Settled, Synthesizer
from june_tts.telemetry.metrics.phrases import PhraseMetrics
from june_tts.types import AudioChunk, Phrase, SpeechRequest

Work = TypeVar("Work")
Level = Literal["memory", "redis"]
LOOKUP_SECONDS = 0.02
"""How long an answer waits for Redis. Making a phrase again is better than a pause before it; what comes
later is kept for the next one."""
MOST_UNDER_WAY = 64
"""Calls to Redis that nobody waits for; one more is not made."""


class Doorkeeper(Protocol):
    """Remembers keys that were asked for, for a while."""

    def seen(self, key: bytes) -> bool:
        """Whether it was asked for before; from now on it was."""
        ...

    def knows(self, key: bytes) -> bool:
        """The same; changes nothing."""
        ...


@dataclass(frozen=True, slots=True)
class PhraseRules:
    code: str = ""
    """Names the program that turns text into audio."""
    random: bool = False
    """Whether to keep speech that would be drawn anew."""
    most_bytes: int = 1 << 20
    """Of one phrase; 0: nothing is kept."""


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a phrase that was asked for."""

    settled: Settled | None = None
    """Who would speak it; None where it would be refused."""
    key: bytes = b""
    phrase: Phrase | None = None
    level: Level = "memory"
    keep: bool = False
    """It was not there, and is to be kept when it has been made."""


NOTHING = Found()


class Phrases:
    """For one event loop. `close` it after the last call."""

    def __init__(
        self,
        synthesizer: Synthesizer,
        memory: PhraseMemory,
        shared: SharedPhrases | None,
        doorkeeper: Doorkeeper,
        metrics: PhraseMetrics,
        rules: PhraseRules,
    ) -> None:
        self._synthesizer = synthesizer
        self._memory = memory
        self._shared = shared
        self._doorkeeper = doorkeeper
        self._metrics = metrics
        self._rules = rules
        self._recording: dict[bytes, str] = {}
        """Keys of phrases that are being made and kept, to the voices that speak them."""
        self._tasks: set[asyncio.Task[Any]] = set()
        self._removals = 0
        self._gone: set[str] = set()
        """Voices whose phrases Redis may still have."""

    async def at_hand(self, asked: Order) -> Found:
        """A phrase that is in memory now. Asking changes nothing.

        Refuses nothing: what cannot be spoken is not found, and `Synthesizer.stream` says why.
        """
        if not self._may_be_kept(asked):
            return NOTHING
        try:
            settled = await self._synthesizer.settle(asked.request, asked.characters)
        except JuneError:
            return NOTHING
        return self._in_memory(asked, settled)

    @property
    def removals(self) -> int:
        """How often a voice became another one or was removed: whom a caller has found may be gone since."""
        return self._removals

    def expected(self, asked: Order, settled: Settled) -> bool:
        """Whether `find` would find it in memory, or have it kept. Asking changes nothing."""
        if not self._may_be_kept(asked):
            return False
        found = self._in_memory(asked, settled)
        return found.phrase is not None or (
            self._repeats(settled) and self._doorkeeper.knows(found.key) and found.key not in self._recording
        )

    def said(self, asked: Order, settled: Settled) -> None:
        """It was spoken without having been looked for: `find` has it kept the next time."""
        if self._may_be_kept(asked) and self._repeats(settled):
            self._doorkeeper.seen(phrase_key(asked, settled, self._rules.code))

    async def find(self, asked: Order, settled: Settled | None = None) -> Found:
        """A phrase that was made before, in memory or in Redis, and else whether to keep it this time.

        Waits for Redis for LOOKUP_SECONDS.

        Args:
            settled: who speaks it, where that is known.

        Raises:
            VoiceNotFound, StoreUnavailable: as `Synthesizer.stream`, which would ask for the voice again.
                What else cannot be spoken is not found, and `stream` says why.
        """
        if not self._may_be_kept(asked):
            return NOTHING
        try:
            settled = settled or await self._synthesizer.voiced(asked.request, asked.characters)
        except (VoiceNotFound, StoreUnavailable):
            raise
        except JuneError:
            return NOTHING
        found = self._in_memory(asked, settled)
        if found.phrase:
            return found
        key = found.key
        if not self._repeats(settled):
            return found
        if phrase := await self._from_redis(key, settled.utterance.voice.id):
            return Found(settled, key, phrase, "redis")
        self._metrics.misses.inc()
        return Found(settled, key, keep=key not in self._recording and self._doorkeeper.seen(key))

    def _may_be_kept(self, asked: Order) -> bool:
        # a recording that comes with a request is its sender's: neither it nor its sound is kept
        return bool(self._rules.most_bytes) and not asked.request.references

    def _repeats(self, settled: Settled) -> bool:
        return self._rules.random or reproducible(settled.utterance, settled.able)

    def _in_memory(self, asked: Order, settled: Settled) -> Found:
        key = phrase_key(asked, settled, self._rules.code)
        return Found(settled, key, self._memory.get(key))

    async def prepared(self, asked: Order) -> Found:
        """The same for a phrase that the settings list: also one that was drawn. Waits for Redis.

        Raises: as `Synthesizer.settle`.
        """
        settled = await self._synthesizer.settle(asked.request, asked.characters)
        key = phrase_key(asked, settled, self._rules.code)
        phrase = self._memory.get(key)
        if phrase is None and self._shared is not None:
            phrase = await self._shared.get(key, self._rules.most_bytes)
        return Found(settled, key, phrase)

    def spoken(self, request: SpeechRequest) -> AsyncGenerator[AudioChunk, None]:
        """A phrase anew. Raises: as `Synthesizer.stream`."""
        return self._synthesizer.stream(request)

    async def recall(self, request_id: str, asked: Order, found: Found) -> Phrase:
        """A phrase that was found, to be sent now: counted, and paid for, as if it were spoken.

        Raises:
            Overloaded: the server is stopping.
            RateLimited: the caller has had its share.
        """
        if found.phrase is None or found.settled is None:
            raise ValueError("only what was found can be recalled")
        phrase = found.phrase
        await self._synthesizer.recall(request_id, found.settled, asked.characters, phrase.seconds)
        self._metrics.hits.labels(found.level).inc()
        self._metrics.saved.labels(found.level).inc(phrase.seconds)
        return phrase

    def made(
        self, found: Found, chunks: AsyncGenerator[AudioChunk, None], encode: Encode
    ) -> AsyncGenerator[bytes, None]:
        """A phrase that was not found, as it is made; kept if it comes to its end."""
        if not found.keep or found.settled is None:
            return encode(chunks)
        return self._recorded(found.key, found.settled.utterance.voice.id, chunks, encode)

    def pin(self, found: Found, phrase: Phrase, *, made: bool) -> bool:
        """Keep a phrase in memory until it is unpinned; one that was made just now in Redis, too.

        Returns: whether there was room.
        """
        if found.settled is None or len(phrase.body) > self._rules.most_bytes:
            return False
        voice_id = found.settled.utterance.voice.id
        if not made:
            return self._memory.put(found.key, phrase, voice_id, pinned=True)
        return self._keep(found.key, phrase, voice_id, pinned=True)

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
        self._removals += 1
        making = [key for key, voice in self._recording.items() if voice == voice_id]
        for key in making:
            del self._recording[key]
        return self._memory.forget(voice_id) or bool(making)

    async def _recorded(
        self, key: bytes, voice_id: str, chunks: AsyncGenerator[AudioChunk, None], encode: Encode
    ) -> AsyncGenerator[bytes, None]:
        parts: list[bytes] = []
        size, heard = 0, _Heard()
        self._recording[key] = voice_id
        try:
            async with aclosing(encode(heard.of(chunks))) as encoded:
                async for data in encoded:
                    size += len(data)
                    if size <= self._rules.most_bytes:
                        parts.append(data)
                    yield data
            # not there any more: the voice was removed while it spoke
            if size <= self._rules.most_bytes and key in self._recording:
                self._keep(key, Phrase(b"".join(parts), heard.seconds), voice_id)
        finally:
            self._recording.pop(key, None)

    async def _from_redis(self, key: bytes, voice_id: str) -> Phrase | None:
        if self._shared is None:
            return None
        asking = self._begin(self._fetch(self._shared, key, voice_id))
        if asking is None:
            return None
        await asyncio.wait({asking}, timeout=LOOKUP_SECONDS)
        return asking.result() if asking.done() and not asking.cancelled() else None

    async def _fetch(self, shared: SharedPhrases, key: bytes, voice_id: str) -> Phrase | None:
        before = self._removals
        phrase = await shared.get(key, self._rules.most_bytes)
        # not where a voice was removed meanwhile: it may be the one that speaks here
        if phrase is not None and before == self._removals:
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


class _Heard:
    """Counts the audio on its way to the encoder."""

    seconds = 0.0

    async def of(self, chunks: AsyncGenerator[AudioChunk, None]) -> AsyncGenerator[AudioChunk, None]:
        async with aclosing(chunks):
            async for chunk in chunks:
                self.seconds += chunk.samples.size / chunk.sample_rate
                yield chunk
