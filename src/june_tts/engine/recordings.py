"""What engines speak like that are given recordings."""

from collections.abc import Awaitable, Callable

from june_tts.ports import VoiceStore
from june_tts.types import InlineReference

Recordings = Callable[[str], Awaitable[tuple[InlineReference, ...]]]
"""From a cloned voice's id to its recordings."""


def recordings_in(store: VoiceStore) -> Recordings:
    """Of the voice library, with a transcript where there is one."""

    async def recordings(voice_id: str) -> tuple[InlineReference, ...]:
        kept = await store.get(voice_id)
        return (InlineReference(await store.audio(voice_id), kept.transcript or ""),)

    return recordings
