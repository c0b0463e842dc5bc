"""Tells the other replicas which voice has changed, until they know it; and is told by them."""

import asyncio
import secrets
from collections.abc import Callable

from june_tts.cache.shared import Shared
from june_tts.cache.voice_shelf import VoiceShelf

CHANNEL = "voices"
RETRY_SECONDS = 0.1
MOST_UNTOLD = 10_000
"""Changes that Redis has not taken yet; each was an upload or the like. Of more, the oldest are left to be
found out by whoever speaks the voice."""


class VoiceNews:
    """`start` before the first use, `close` after the last."""

    def __init__(self, shared: Shared, shelf: VoiceShelf, library: str, heard: Callable[[str], None]) -> None:
        """`heard`: told the id of each voice that another replica has changed."""
        self._shared = shared
        self._shelf = shelf
        self._library = library
        self._heard = heard
        self._me = secrets.token_hex(8)
        self._untold: dict[str, None] = {}
        self._something = asyncio.Event()
        self._retrying: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._shared.subscribe(CHANNEL, self._received)
        self._retrying = asyncio.create_task(self._retry())

    async def close(self) -> None:
        """What is untold is tried once more."""
        if self._retrying:
            self._retrying.cancel()
            await asyncio.gather(self._retrying, return_exceptions=True)
        await self._tell_all()

    async def tell(self, voice_id: str) -> None:
        """Have a voice forgotten everywhere but here; what cannot be told now is told as soon as it can."""
        if await self._told(voice_id):
            return
        self._untold[voice_id] = None
        if len(self._untold) > MOST_UNTOLD:
            del self._untold[next(iter(self._untold))]
        self._something.set()

    async def _retry(self) -> None:
        while True:
            await self._something.wait()
            await asyncio.sleep(RETRY_SECONDS)
            if self._shared.available:
                await self._tell_all()

    async def _tell_all(self) -> None:
        for voice_id in tuple(self._untold):
            if not await self._told(voice_id):
                return
            self._untold.pop(voice_id, None)
        self._something.clear()

    async def _told(self, voice_id: str) -> bool:
        return await self._shelf.forget(voice_id, f"{self._library} {self._me} {voice_id}".encode())

    def _received(self, message: bytes) -> None:
        library, _, rest = message.decode(errors="surrogateescape").partition(" ")
        sender, _, voice_id = rest.partition(" ")
        # what we say ourselves is known here since before we said it
        if library == self._library and sender != self._me:
            self._heard(voice_id)
