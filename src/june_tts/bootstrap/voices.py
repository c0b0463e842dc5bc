"""The cache in front of the voice library, the counts of use, and the warm-up of the most used."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Final

import structlog

from june_tts.bootstrap.beside import beside
from june_tts.cache import Shared
from june_tts.cache.voices import CachedVoices, VoiceCacheRules
from june_tts.errors import JuneError, VoiceNotFound
from june_tts.ports import Engine, VoiceStore, VoiceUseStore, WarmsVoices
from june_tts.service.voice_uses import VoiceUses
from june_tts.settings import Settings
from june_tts.store import Stores
from june_tts.telemetry.metrics import Metrics

WARM_SECONDS: Final = 10.0
"""A voice that was never encoded takes an engine seconds; others wait for the port to open."""
_SHARED_TIMES = 24
_MB = 1_000_000

log = structlog.get_logger(__name__)


def cached_voices(
    settings: Settings, stores: Stores, shared: Shared | None, metrics: Metrics, stack: AsyncExitStack
) -> CachedVoices:
    """In front of the voices of the stores; closed, and they with it, when the stack is left."""
    rules = VoiceCacheRules(
        memory_bytes=settings.voice_cache_mb * _MB,
        idle_seconds=settings.voice_cache_seconds,
        shared_seconds=settings.voice_cache_seconds * _SHARED_TIMES,
    )
    voices = CachedVoices(stores.voices, rules, metrics.voices, shared, stores.name)
    stack.push_async_callback(voices.close)
    return voices


def counted_uses(store: VoiceUseStore, stack: AsyncExitStack) -> VoiceUses:
    """Flushed in the background until the stack is left."""
    uses = VoiceUses(store)
    stack.push_async_callback(uses.close)
    beside(stack, uses.run())
    return uses


async def warm_voices(
    settings: Settings, store: VoiceStore, uses: VoiceUseStore, engines: Sequence[Engine]
) -> None:
    """Have ready what the engines need of the most used cloned voices. What fails is left cold."""
    began = time.monotonic()
    warmed = 0
    try:
        async with asyncio.timeout(WARM_SECONDS):
            for voice_id in await _most_used(settings.warm_voices, store, uses):
                for engine in engines:
                    if isinstance(engine, WarmsVoices) and engine.capabilities().clones:
                        await engine.warm_voice(voice_id)
                        warmed += 1
                        break
    except (JuneError, TimeoutError) as failed:
        log.warning("voices left cold", reason=type(failed).__name__)
    if warmed:
        log.info("voices warmed", voices=warmed, seconds=round(time.monotonic() - began, 3))


async def _most_used(most: int, store: VoiceStore, uses: VoiceUseStore) -> list[str]:
    """Ids of cloned voices that are there, into the cache."""
    if not most:
        return []
    counted = await uses.all()
    found: list[str] = []
    for voice_id in sorted(counted, key=lambda name: counted[name].uses, reverse=True):
        try:
            await store.get(voice_id)
        except VoiceNotFound:  # built in, or removed by another program
            continue
        found.append(voice_id)
        if len(found) == most:
            break
    return found
