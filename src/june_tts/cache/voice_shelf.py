"""Voices in Redis: one hash for each, so that what is removed is gone from there at once and whole."""

import hashlib

from june_tts.cache.shared import PREFIX, Shared, SharedUnavailable

_GENERATION_MS = 3_600_000
"""A load takes seconds; whoever began one an hour ago keeps nothing any more."""

KEEP = """
if (redis.call('GET', KEYS[2]) or '0') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
"""
"""Not if the voice has changed since the generation was read: the value may be from before."""

FORGET = f"""
redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], {_GENERATION_MS})
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[1], ARGV[2])
return 1
"""
"""One step: nobody can keep what was before between the removal and the news of it."""

READ = "return redis.call('HGET', KEYS[1], ARGV[1])"
GENERATION = "return redis.call('GET', KEYS[1])"
DROP = "return redis.call('HDEL', KEYS[1], ARGV[1])"


class VoiceShelf:
    """Fields of voices. Nothing here raises: without Redis there is nothing on the shelf."""

    def __init__(self, shared: Shared, library: str, channel: str, ttl_seconds: float) -> None:
        """`library`: names the database, so that two of them beside one Redis do not mix their voices."""
        self._shared = shared
        self._library = library
        self._channel = channel
        self._ttl_ms = round(ttl_seconds * 1000)

    async def generation(self, voice_id: str) -> str | None:
        """To be read before the library is, and given to `keep`; None where Redis does not answer."""
        try:
            found = await self._shared.run(GENERATION, [self._keys(voice_id)[1]], [])
        except SharedUnavailable:
            return None
        return found.decode() if found else "0"

    async def read(self, voice_id: str, field: str, expected_bytes: int = 0) -> bytes | None:
        try:
            found = await self._shared.run(
                READ, [self._keys(voice_id)[0]], [field], expected_bytes=expected_bytes
            )
        except SharedUnavailable:
            return None
        return found if isinstance(found, bytes) else None

    async def keep(self, voice_id: str, field: str, value: bytes, generation: str) -> None:
        """Unless the voice has changed since `generation` was read."""
        try:
            await self._shared.run(
                KEEP,
                self._keys(voice_id),
                [generation, field, value, self._ttl_ms],
                expected_bytes=len(value),
            )
        except SharedUnavailable:
            return

    async def drop(self, voice_id: str, field: str) -> None:
        try:
            await self._shared.run(DROP, [self._keys(voice_id)[0]], [field])
        except SharedUnavailable:
            return

    async def forget(self, voice_id: str, news: bytes) -> bool:
        """Remove all of a voice and tell every replica. Returns: whether Redis has done it."""
        try:
            await self._shared.run(FORGET, self._keys(voice_id), [PREFIX + self._channel, news])
        except SharedUnavailable:
            return False
        return True

    def _keys(self, voice_id: str) -> list[str]:
        """Of the hash and of its generation. A digest: ids may be long, and hold anything."""
        name = hashlib.sha256(voice_id.encode(errors="surrogatepass")).hexdigest()
        return [f"voice:{self._library}:{name}", f"voice:{self._library}:{name}:generation"]
