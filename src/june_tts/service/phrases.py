"""Speech that was made before: found at once, and kept where it was made to its end.

A phrase is kept when it is asked for the second time, and only where it sounds the same each time, or where
the settings allow what was drawn. See docs/decisions/phrase-cache.md.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol

from june_tts.errors import JuneError, StoreUnavailable, VoiceNotFound
from june_tts.service.coding import Encode
from june_tts.service.phrase_key import Order, phrase_key
from june_tts.service.phrase_shelf import PhraseShelf
from june_tts.service.request_rules import reproducible
from june_tts.service.synthesis import Settled, Synthesizer
from june_tts.telemetry.metrics.phrases import PhraseMetrics
from june_tts.types import AudioChunk, Phrase, SpeechRequest

Level = Literal["memory", "redis"]


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
    def __init__(
        self,
        synthesizer: Synthesizer,
        shelf: PhraseShelf,
        doorkeeper: Doorkeeper,
        metrics: PhraseMetrics,
        rules: PhraseRules,
    ) -> None:
        self._synthesizer = synthesizer
        self.shelf = shelf
        self._doorkeeper = doorkeeper
        self._metrics = metrics
        self._rules = rules

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

    def expected(self, asked: Order, settled: Settled) -> bool:
        """Whether `find` would find it in memory, or have it kept. Asking changes nothing."""
        if not self._may_be_kept(asked):
            return False
        found = self._in_memory(asked, settled)
        return found.phrase is not None or (
            self._repeats(settled) and self._doorkeeper.knows(found.key) and not self.shelf.records(found.key)
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
        if phrase := await self.shelf.from_redis(key, settled.utterance.voice.id):
            return Found(settled, key, phrase, "redis")
        self._metrics.misses.inc()
        return Found(settled, key, keep=not self.shelf.records(key) and self._doorkeeper.seen(key))

    def _may_be_kept(self, asked: Order) -> bool:
        # a recording that comes with a request is its sender's: neither it nor its sound is kept
        return bool(self.shelf.most_bytes) and not asked.request.references

    def _repeats(self, settled: Settled) -> bool:
        return self._rules.random or reproducible(settled.utterance, settled.able)

    def _in_memory(self, asked: Order, settled: Settled) -> Found:
        key = phrase_key(asked, settled, self._rules.code)
        return Found(settled, key, self.shelf.get(key))

    async def prepared(self, asked: Order) -> Found:
        """The same for a phrase that the settings list: also one that was drawn. Waits for Redis.

        Raises: as `Synthesizer.settle`.
        """
        settled = await self._synthesizer.settle(asked.request, asked.characters)
        key = phrase_key(asked, settled, self._rules.code)
        return Found(settled, key, await self.shelf.anywhere(key))

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
        return self.shelf.record(found.key, found.settled.utterance.voice.id, chunks, encode)

    def pin(self, found: Found, phrase: Phrase, *, made: bool) -> bool:
        """See `PhraseShelf.pin`."""
        if found.settled is None:
            return False
        return self.shelf.pin(found.key, phrase, found.settled.utterance.voice.id, made=made)
