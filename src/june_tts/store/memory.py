"""The voice library in a dictionary: for tests and for servers that need not remember."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from june_tts.store import rows
from june_tts.types import ClonedVoice, NewVoice, Picture, VoiceCard, VoiceCodes


class MemoryVoiceStore:
    """A VoiceStore that is empty again after a restart."""

    def __init__(self) -> None:
        self._voices: dict[str, tuple[ClonedVoice, bytes]] = {}
        self._covers: dict[str, Picture] = {}
        self._codes: dict[str, dict[str, VoiceCodes]] = {}

    async def add(self, voice: NewVoice) -> ClonedVoice:
        if voice.voice_id in self._voices:
            raise rows.exists(voice.voice_id)
        described = rows.described(voice, hashlib.sha256(voice.audio).hexdigest(), datetime.now(UTC))
        self._voices[voice.voice_id] = (described, voice.audio)
        if voice.card.cover:
            self._covers[voice.voice_id] = voice.card.cover
        return described

    async def get(self, voice_id: str) -> ClonedVoice:
        return self._kept(voice_id)[0]

    async def audio(self, voice_id: str) -> bytes:
        return self._kept(voice_id)[1]

    async def list(self) -> Sequence[ClonedVoice]:
        return [described for described, _ in self._voices.values()]

    async def change(self, voice_id: str, name: str | None, card: VoiceCard) -> ClonedVoice:
        before, audio = self._kept(voice_id)
        after = rows.changed(before, name, card, datetime.now(UTC))
        self._voices[voice_id] = (after, audio)
        if card.cover:
            self._covers[voice_id] = card.cover
        return after

    async def cover(self, voice_id: str) -> Picture | None:
        self._kept(voice_id)
        return self._covers.get(voice_id)

    async def remove(self, voice_id: str) -> None:
        self._kept(voice_id)
        del self._voices[voice_id]
        self._covers.pop(voice_id, None)
        self._codes.pop(voice_id, None)

    async def codes(self, voice_id: str, codec: str, sha256: str) -> VoiceCodes | None:
        kept = self._codes.get(voice_id, {}).get(codec)
        return kept if kept and kept.sha256 == sha256 else None

    async def keep_codes(self, voice_id: str, codes: VoiceCodes) -> None:
        if voice_id in self._voices and self._voices[voice_id][0].sha256 == codes.sha256:
            self._codes.setdefault(voice_id, {})[codes.codec] = codes

    async def ping(self) -> None:
        """Memory always answers."""

    async def close(self) -> None:
        self._voices.clear()
        self._covers.clear()
        self._codes.clear()

    def _kept(self, voice_id: str) -> tuple[ClonedVoice, bytes]:
        if voice_id not in self._voices:
            raise rows.not_found(voice_id)
        return self._voices[voice_id]
