"""Phrases in memory: as many bytes as there is room for, the one not asked for longest makes room."""

import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass

from june_tts.types import Phrase

ENTRY_BYTES = 500
"""What an entry takes besides its audio."""


@dataclass(slots=True)
class _Kept:
    phrase: Phrase
    voice_id: str
    until: float
    pinned: bool

    @property
    def size(self) -> int:
        return len(self.phrase.body) + ENTRY_BYTES


class PhraseMemory:
    """Implements `ports.PhraseMemory`. For one event loop."""

    def __init__(
        self, *, most_bytes: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`seconds`: how long a phrase is kept after it was put here, unless it is pinned."""
        self._most = most_bytes
        self._seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._voices: dict[str, set[bytes]] = {}
        """Keys by voice."""
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: bytes) -> Phrase | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if not kept.pinned and self._clock() > kept.until:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.phrase

    def put(self, key: bytes, phrase: Phrase, voice_id: str, *, pinned: bool = False) -> bool:
        self._drop(key)
        kept = _Kept(phrase, voice_id, self._clock() + self._seconds, pinned)
        if not self._makes_room(kept.size):
            return False
        self._kept[key] = kept
        self._voices.setdefault(voice_id, set()).add(key)
        self.bytes += kept.size
        return True

    def forget(self, voice_id: str) -> bool:
        # by voice, not by a look at everything: ids that nobody has are forgotten as well
        going = tuple(self._voices.get(voice_id, ()))
        for key in going:
            self._drop(key)
        return bool(going)

    def unpin(self, but: Collection[bytes]) -> None:
        for key, kept in self._kept.items():
            kept.pinned = kept.pinned and key in but

    def _makes_room(self, size: int) -> bool:
        """Drops nothing unless that is enough."""
        if self.bytes + size <= self._most:
            return True
        going: list[bytes] = []
        left = self.bytes + size - self._most
        for key, kept in self._kept.items():
            if left <= 0:
                break
            if not kept.pinned:
                going.append(key)
                left -= kept.size
        if left > 0:
            return False
        for key in going:
            self._drop(key)
        return True

    def _drop(self, key: bytes) -> None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        self.bytes -= kept.size
        spoken = self._voices[kept.voice_id]
        spoken.discard(key)
        if not spoken:
            del self._voices[kept.voice_id]
