"""One turn of a live socket: words go in, a task speaks them. Shared by every API with a WebSocket.

turn = LiveTurn(speak, failed, limits)   # speak(words): renders `synthesizer.speak(request, words)`, sends
await turn.write("Hello, ")              # waits where too much is unspoken: then the socket is not read
await turn.flush()
turn.end()                               # no more words: what is left is spoken
await turn.over()                        # all was sent, or it has failed; or:
await turn.cancel()                      # the client is gone, or does not want it any more
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from starlette.websockets import WebSocketDisconnect

from june_tts.errors import BodyTooSlow, JuneError
from june_tts.http.live_limits import LiveLimits
from june_tts.http.live_words import Words
from june_tts.service.admission import stopping
from june_tts.types import Flush

Speak = Callable[[Words], Awaitable[None]]
"""Speaks words as they come and sends the audio; returns when the last of it was sent."""
Failed = Callable[[JuneError], Awaitable[None]]
"""Tells the client why its turn ended before its time. Not called where the client is gone."""

log = structlog.get_logger(__name__)


class LiveTurn:
    """Whoever makes it calls `cancel` when it is not wanted any more, or when its socket ends."""

    def __init__(self, speak: Speak, failed: Failed, limits: LiveLimits) -> None:
        self._words = Words(limits.waiting_chars)
        self._task = asyncio.create_task(self._run(speak, failed, limits))

    @property
    def open(self) -> bool:
        """Still speaking, or waiting for words."""
        return not self._task.done()

    async def write(self, text: str) -> None:
        await self._words.put(text)

    async def flush(self) -> None:
        await self._words.put(Flush())

    def end(self) -> None:
        self._words.end()

    async def over(self) -> None:
        """Wait for its end."""
        await asyncio.wait({self._task})

    async def cancel(self) -> None:
        """Stop at once, and return when the engine has stopped as well."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, speak: Speak, failed: Failed, limits: LiveLimits) -> None:
        try:
            try:
                await self._speak(speak, limits)
            finally:
                self._words.close()
        except WebSocketDisconnect:
            return  # who reads the socket is told as well
        except JuneError as error:
            await _told(failed, error)
        except Exception:
            log.exception("live turn failed")
            await _told(failed, JuneError("june-tts failed on this turn; its log says why"))

    async def _speak(self, speak: Speak, limits: LiveLimits) -> None:
        try:
            async with asyncio.timeout(limits.turn_seconds) as limit:
                with limits.ending.during(limit):
                    await speak(self._words)
        except TimeoutError:
            if not limit.expired():
                raise
            if limits.ending.come:
                raise stopping() from None
            raise BodyTooSlow(f"the turn was not over after {limits.turn_seconds:g} s") from None


async def _told(failed: Failed, error: JuneError) -> None:
    try:
        await failed(error)
    except WebSocketDisconnect:
        return
