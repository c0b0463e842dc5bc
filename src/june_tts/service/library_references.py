"""Fish's reference ids over the voice library: what is added there can be spoken through every API."""

from collections.abc import Sequence

from june_tts.service.voices import VoiceLibrary
from june_tts.types import InlineReference, VoiceCard


class LibraryReferences:
    """Implements `ports.References`. Its rules are the library's: recordings are judged, ids are checked."""

    def __init__(self, library: VoiceLibrary) -> None:
        self._library = library

    async def find(self, reference_id: str) -> tuple[InlineReference, ...]:
        await self._library.resolve(reference_id)
        return ()

    async def list(self) -> Sequence[str]:
        return [voice.id for voice in await self._library.catalogue()]

    async def add(self, reference_id: str, audio: bytes, text: str) -> None:
        await self._library.clone(reference_id, reference_id, audio, text)

    async def remove(self, reference_id: str) -> None:
        await self._library.remove(reference_id)

    async def rename(self, old: str, new: str) -> None:
        """The old id is removed once the new one is kept: a fault in between leaves both, never none."""
        kept = await self._library.get(old)
        await self._library.clone(
            new,
            kept.name,
            await self._library.audio(old),
            kept.transcript,
            kept.language,
            consent=kept.consent,
            card=VoiceCard(kept.description, kept.tags, kept.visibility, await self._library.cover(old)),
        )
        await self._library.remove(old)
