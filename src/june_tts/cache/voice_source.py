"""Parts of voices where memory has none: out of Redis, else out of the library, which then fills Redis."""

import asyncio
import hashlib
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from june_tts.cache import voice_bytes
from june_tts.cache.voice_shelf import VoiceShelf
from june_tts.errors import VoiceNotFound
from june_tts.ports import VoiceStore
from june_tts.telemetry.metrics.voices import VoiceCacheMetrics
from june_tts.types import ClonedVoice, VoiceCodes

SHARED_BYTES: Final = 4_000_000
"""Larger recordings are not put into Redis, where one call at a time keeps all others waiting."""
_ABOUT = f"about:{voice_bytes.LAYOUT}"


class Own(Protocol):
    """Has work done that nobody waits for."""

    def __call__(self, work: Coroutine[Any, Any, None]) -> object: ...


class VoiceSource:
    """What is read of the library is put into Redis in the background, unless the voice changes meanwhile.

    A recording and codes are named by their hash, so Redis may have them as well as the library. What is told
    of a voice may change at any time: there the library is asked, and Redis only while it is away.
    """

    def __init__(
        self, store: VoiceStore, shelf: VoiceShelf | None, metrics: VoiceCacheMetrics, own: Own
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._metrics = metrics
        self._own = own

    async def description(self, voice_id: str) -> ClonedVoice:
        """As the library has it now. Raises: VoiceNotFound, StoreUnavailable."""
        generation = await self._generation(voice_id)
        try:
            voice = await self._store.get(voice_id)
        except VoiceNotFound:
            self._count("store", found=False)
            raise
        self._count("store", found=True)
        self._keep(voice_id, _ABOUT, voice_bytes.described(voice), generation)
        return voice

    async def last_description(self, voice_id: str) -> ClonedVoice | None:
        """As some replica read it last."""
        found = await self._shelved(voice_id, _ABOUT)
        return voice_bytes.to_description(found) if found else None

    async def audio(self, voice: ClonedVoice) -> tuple[bytes, bool]:
        """The recording, and whether it is the one that the description tells of.

        Raises: VoiceNotFound, StoreUnavailable.
        """
        field = f"audio:{voice.sha256}"
        generation = await self._generation(voice.voice_id)
        found = await self._shelved(voice.voice_id, field, voice.audio_bytes)
        if found and await _hash(found) == voice.sha256:
            return found, True
        audio = await self._store.audio(voice.voice_id)
        self._count("store", found=True)
        right = await _hash(audio) == voice.sha256
        if right:
            self._keep(voice.voice_id, field, audio, generation)
        return audio, right

    async def codes(self, voice_id: str, codec: str, sha256: str) -> VoiceCodes | None:
        """Raises: StoreUnavailable."""
        field = _codes_field(codec, sha256)
        generation = await self._generation(voice_id)
        shelved = await self._shelved(voice_id, field)
        found = voice_bytes.to_codes(shelved, codec, sha256) if shelved else None
        if found:
            return found
        found = await self._store.codes(voice_id, codec, sha256)
        self._count("store", found=found is not None)
        if found:
            self._keep(voice_id, field, voice_bytes.packed(found), generation)
        return found

    async def drop_codes(self, voice_id: str, codec: str, sha256: str) -> None:
        """The library has others now, perhaps."""
        if self._shelf:
            await self._shelf.drop(voice_id, _codes_field(codec, sha256))

    async def _generation(self, voice_id: str) -> str | None:
        return await self._shelf.generation(voice_id) if self._shelf else None

    async def _shelved(self, voice_id: str, field: str, expected_bytes: int = 0) -> bytes | None:
        if self._shelf is None or expected_bytes > SHARED_BYTES:
            return None
        found = await self._shelf.read(voice_id, field, expected_bytes)
        self._count("redis", found=found is not None)
        return found

    def _keep(self, voice_id: str, field: str, value: bytes, generation: str | None) -> None:
        if self._shelf and generation is not None and len(value) <= SHARED_BYTES:
            self._own(self._shelf.keep(voice_id, field, value, generation))

    def _count(self, level: str, *, found: bool) -> None:
        self._metrics.reads.labels(level, "hit" if found else "miss").inc()


def _codes_field(codec: str, sha256: str) -> str:
    return f"codes:{hashlib.sha256(codec.encode()).hexdigest()[:16]}:{sha256}"


async def _hash(audio: bytes) -> str:
    """In a thread: 20 MB take up to 50 ms."""
    return await asyncio.to_thread(lambda: hashlib.sha256(audio).hexdigest())
