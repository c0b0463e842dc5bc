"""Phrases in Redis: what one replica has made, all can speak. A voice's are dropped with it."""

import hashlib
import struct

from june_tts.cache.shared import Shared, SharedUnavailable
from june_tts.types import Phrase

_SECONDS = struct.Struct("<d")
_REMOVED_SECONDS = 60
"""A voice's phrases are not kept for so long after it was removed: replicas that were speaking it then may
only now be done."""

# One script each, so that a phrase is never there without being listed under its voice.
_PUT = """
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local now = redis.call('TIME')[1] * 1000
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + ARGV[2], KEYS[1])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
return 1
"""
_FORGET = """
redis.call('SET', KEYS[2], '1', 'EX', ARGV[1])
local kept = redis.call('ZRANGE', KEYS[1], 0, -1)
for at = 1, #kept, 1000 do
  redis.call('UNLINK', unpack(kept, at, math.min(at + 999, #kept)))
end
redis.call('UNLINK', KEYS[1])
return #kept
"""


class SharedPhrases:
    """Implements `ports.SharedPhrases`. Nothing here raises: without Redis there is nothing to find."""

    def __init__(self, shared: Shared, *, seconds: float) -> None:
        """`seconds`: how long a phrase is kept after it was made."""
        self._shared = shared
        self._milliseconds = max(1, round(seconds * 1000))

    async def get(self, key: bytes, expected_bytes: int) -> Phrase | None:
        found = await self._shared.get(_phrase(key), expected_bytes=expected_bytes)
        if found is None or len(found) < _SECONDS.size:
            return None
        (seconds,) = _SECONDS.unpack_from(found)
        return Phrase(found[_SECONDS.size :], seconds)

    async def put(self, key: bytes, phrase: Phrase, voice_id: str) -> bool:
        """Returns: whether Redis has it now."""
        value = _SECONDS.pack(phrase.seconds) + phrase.body
        keys = (_phrase(key), *_voice(voice_id))
        try:
            return bool(await self._shared.run(_PUT, keys, (value, self._milliseconds)))
        except SharedUnavailable:
            return False

    async def forget(self, voice_id: str) -> bool:
        """Returns: whether Redis has none of the voice's phrases now."""
        try:
            await self._shared.run(_FORGET, _voice(voice_id), (_REMOVED_SECONDS,))
        except SharedUnavailable:
            return False
        return True


def _phrase(key: bytes) -> str:
    return f"phrase:{key.hex()}"


def _voice(voice_id: str) -> tuple[str, str]:
    """Where a voice's phrases are listed, and what says that it was removed."""
    name = hashlib.sha256(voice_id.encode()).hexdigest()[:32]
    return f"phrases:{name}", f"phrases-removed:{name}"
