"""The voice library as it is asked for speech: out of memory where that is known to be true, and where the
library is away, as it was last known. `docs/decisions/voice-cache.md` says why so."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog

from june_tts.cache.flights import Flight, Flights, finished
from june_tts.cache.shared import Shared
from june_tts.cache.sized import Sized
from june_tts.cache.voice_news import CHANNEL, VoiceNews
from june_tts.cache.voice_shelf import VoiceShelf
from june_tts.cache.voice_source import VoiceSource
from june_tts.errors import InvalidRequest, StoreUnavailable, VoiceNotFound
from june_tts.ports import VoiceStore
from june_tts.telemetry.metrics.voices import VoiceCacheMetrics
from june_tts.types import ClonedVoice, NewVoice, Picture, VoiceCard, VoiceCodes

FRESH_SECONDS: Final = 0.5
"""What the library said of a voice is relied on for so long without being told of changes."""
CHECK_SECONDS: Final = 5.0
"""A voice that is spoken is looked up this often in the background, even where we are told of changes: the
service that was here before us may still change rows, and tells nobody."""
_CLOSE_SECONDS = 5.0
_DESCRIPTION_BYTES = 2000
"""About what one takes in memory, besides its transcript."""

Result = TypeVar("Result")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class VoiceCacheRules:
    memory_bytes: int = 64_000_000
    """Of descriptions, recordings and codes together."""
    idle_seconds: float = 3600.0
    """What nobody asks for in this time leaves memory."""
    shared_seconds: float = 86_400.0
    """And what no replica reads from the library in this time leaves Redis."""
    patience_seconds: float = 0.3
    """For the library to answer; then a voice that is known is given as it is known."""
    ping_seconds: float = 0.25
    """Between two questions whether a library that was away is back."""


@dataclass(frozen=True, slots=True)
class _Known:
    voice: ClonedVoice
    at: float
    """When it was true, by the clock: the moment at which the library was asked."""


class CachedVoices:
    """A VoiceStore in front of another. Changes go through; what is read is kept.

    Another replica's change is known here half a second later at most: Redis told of it, or the library is
    asked again. That a voice is not there is never kept, so one that was added speaks at once.

    Where the library is away or slow, `get`, `audio`, `codes` and `list` answer as they last could.
    """

    def __init__(
        self,
        store: VoiceStore,
        rules: VoiceCacheRules,
        metrics: VoiceCacheMetrics,
        shared: Shared | None = None,
        library: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            store: closed by `close`.
            library: names the database; replicas with the same name share what they keep.
            clock: seconds; the one by which `shared` tells since when it is subscribed.
        """
        self.behind = store
        """The library itself."""
        self._store = store
        self._metrics = metrics
        self._shared = shared
        self._clock = clock
        self._rules = rules
        self._kept: Sized[Any] = Sized(rules.memory_bytes, rules.idle_seconds, clock, metrics.evictions.inc)
        self._flights = Flights(clock, metrics.joins.inc)
        self._forgets: list[Callable[[str], None]] = []
        self._listed: Sequence[ClonedVoice] | None = None
        self._asking: asyncio.Task[None] | None = None
        """Whether the library is back; None while it is not away."""
        self._news: VoiceNews | None = None
        shelf = None
        if shared:
            shelf = VoiceShelf(shared, library, CHANNEL, rules.shared_seconds)
            self._news = VoiceNews(shared, shelf, library, self._heard)
            self._news.start()
        self._source = VoiceSource(store, shelf, metrics, self._flights.own)
        metrics.watch_bytes(lambda: self._kept.bytes)

    def on_change(self, forget: Callable[[str], None]) -> None:
        """Have `forget` called with the id of each voice that has changed, here or elsewhere."""
        self._forgets.append(forget)

    async def get(self, voice_id: str) -> ClonedVoice:
        known: _Known | None = self._kept.get(("about", voice_id))
        if known and self._relied_on(known):
            self._metrics.reads.labels("memory", "hit").inc()
            return known.voice
        self._metrics.reads.labels("memory", "miss").inc()
        return await self._asked(voice_id, known)

    async def audio(self, voice_id: str) -> bytes:
        voice = await self.get(voice_id)
        key = ("audio", voice_id, voice.sha256)

        async def load(flight: Flight[bytes]) -> bytes:
            audio, right = await self._source.audio(voice)
            if flight.wanted and right:
                self._kept.put(key, audio, len(audio), voice_id)
            return audio

        return self._remembered(key) or await self._flights.join(voice_id, key, load).result()

    async def codes(self, voice_id: str, codec: str, sha256: str) -> VoiceCodes | None:
        key = ("codes", voice_id, codec, sha256)

        async def load(flight: Flight[VoiceCodes | None]) -> VoiceCodes | None:
            codes = await self._source.codes(voice_id, codec, sha256)
            if flight.wanted and codes:
                self._kept.put(key, codes, codes.codes.nbytes, voice_id)
            return codes

        return self._remembered(key) or await self._flights.join(voice_id, key, load).result()

    async def list(self) -> Sequence[ClonedVoice]:
        try:
            self._listed = await self._store.list()
        except StoreUnavailable:
            if self._listed is None:
                raise
            self._metrics.stale.inc()
        return self._listed

    async def cover(self, voice_id: str) -> Picture | None:
        return await self._store.cover(voice_id)

    async def add(self, voice: NewVoice) -> ClonedVoice:
        return await self._changing(voice.voice_id, lambda: self._store.add(voice))

    async def change(self, voice_id: str, name: str | None, card: VoiceCard) -> ClonedVoice:
        return await self._changing(voice_id, lambda: self._store.change(voice_id, name, card))

    async def remove(self, voice_id: str) -> None:
        await self._changing(voice_id, lambda: self._store.remove(voice_id))

    async def keep_codes(self, voice_id: str, codes: VoiceCodes) -> None:
        await self._store.keep_codes(voice_id, codes)
        # whether it has kept them is the library's to say: the next reader asks it
        self._kept.drop(("codes", voice_id, codes.codec, codes.sha256))
        await self._source.drop_codes(voice_id, codes.codec, codes.sha256)

    async def ping(self) -> None:
        await self._store.ping()

    async def close(self) -> None:
        if self._asking:
            self._asking.cancel()
        await self._flights.close(_CLOSE_SECONDS)
        if self._news:
            await self._news.close()
        self._kept.clear()
        await self._store.close()

    def _remembered(self, key: tuple[str, ...]) -> Any:
        found = self._kept.get(key)
        self._metrics.reads.labels("memory", "miss" if found is None else "hit").inc()
        return found

    def _relied_on(self, known: _Known) -> bool:
        age = self._clock() - known.at
        if age < FRESH_SECONDS:
            return True
        if not self._told_of_all_since(known.at):
            return False
        if age >= CHECK_SECONDS:
            self._ask(known.voice.voice_id)
        return True

    def _told_of_all_since(self, moment: float) -> bool:
        if self._shared is None or not self._shared.subscribed:
            return False
        since = self._shared.subscribed_since
        return since is not None and since <= moment

    async def _asked(self, voice_id: str, known: _Known | None) -> ClonedVoice:
        """What the library says, or what was known where it does not say it in time."""
        if known and self._asking:
            # nobody waits for it again and again
            self._metrics.stale.inc()
            return known.voice
        flight = self._ask(voice_id)
        try:
            return await flight.result(self._rules.patience_seconds)
        except TimeoutError:
            self._is_away("TimeoutError")
            return await self._last_known(voice_id, known) or await flight.result()
        except StoreUnavailable:
            if last := await self._last_known(voice_id, known):
                return last
            raise

    async def _last_known(self, voice_id: str, known: _Known | None) -> ClonedVoice | None:
        voice = known.voice if known else await self._source.last_description(voice_id)
        if voice is None:
            return None
        self._metrics.stale.inc()
        if not known:
            self._kept.put(("about", voice_id), _Known(voice, float("-inf")), _DESCRIPTION_BYTES, voice_id)
        return voice

    def _ask(self, voice_id: str) -> Flight[ClonedVoice]:
        async def load(flight: Flight[ClonedVoice]) -> ClonedVoice:
            try:
                voice = await self._source.description(voice_id)
            except VoiceNotFound:
                if flight.wanted:
                    self._forget(voice_id)
                raise
            except StoreUnavailable as away:
                self._is_away(str(away))
                raise
            if flight.wanted:
                self._learn(voice, flight.began)
            return voice

        return self._flights.join(voice_id, ("about", voice_id), load)

    def _learn(self, voice: ClonedVoice, at: float) -> None:
        key = ("about", voice.voice_id)
        before: _Known | None = self._kept.get(key)
        if before and before.voice != voice:
            self._drop(voice.voice_id)
        size = _DESCRIPTION_BYTES + len(voice.transcript or "")
        self._kept.put(key, _Known(voice, at), size, voice.voice_id)

    async def _changing(self, voice_id: str, change: Callable[[], Awaitable[Result]]) -> Result:
        """A change goes on when the client has hung up: the others must be told after it, not before."""

        async def changing() -> Result:
            try:
                done = await change()
            except InvalidRequest:
                self._forget(voice_id)
                raise
            except BaseException:
                await self._tell(voice_id)  # it may have been done all the same
                raise
            await self._tell(voice_id)
            return done

        return await finished(self._flights.own(changing()))

    async def _tell(self, voice_id: str) -> None:
        self._forget(voice_id)
        if self._news:
            await self._news.tell(voice_id)

    def _heard(self, voice_id: str) -> None:
        self._metrics.news.inc()
        self._forget(voice_id)

    def _forget(self, voice_id: str) -> None:
        """What is known of a voice may be wrong, and so may what is being loaded of it."""
        self._flights.disown(voice_id)
        self._drop(voice_id)

    def _drop(self, voice_id: str) -> None:
        self._kept.drop_group(voice_id)
        for forget in self._forgets:
            forget(voice_id)

    def _is_away(self, reason: str) -> None:
        if self._asking is None:
            log.warning("voice library away: voices are spoken as they are known", reason=reason)
            self._asking = asyncio.create_task(self._ask_until_back())

    async def _ask_until_back(self) -> None:
        """So that nobody is given what is old for longer than that."""
        while True:
            await asyncio.sleep(self._rules.ping_seconds)
            if await self._answers():
                break
        self._asking = None
        log.warning("voice library back")

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(self._rules.patience_seconds):
                await self._store.ping()
        except (StoreUnavailable, TimeoutError):
            return False
        return True
