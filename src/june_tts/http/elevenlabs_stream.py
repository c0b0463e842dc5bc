"""`stream-input`: one text on one socket, which ends with it."""

import asyncio

from june_tts.errors import BodyTooSlow, JuneError
from june_tts.http.elevenlabs_context import Context
from june_tts.http.elevenlabs_frames import Frame, close_code
from june_tts.http.elevenlabs_session import Contexts, Goodbye, now


class StreamInput:
    """`{"text": ""}` ends the text; the rest is spoken, then the socket is closed."""

    def __init__(self, contexts: Contexts) -> None:
        self.over: asyncio.Future[Goodbye] = asyncio.get_running_loop().create_future()
        self._contexts = contexts
        self._context: Context | None = None
        self._written = False
        """The text has ended; messages after that have no meaning."""
        self._quiet_seconds = contexts.manner.quiet_seconds
        self._deadline = now() + self._quiet_seconds

    @property
    def deadline(self) -> float:
        return self._deadline

    async def hear(self, frame: Frame) -> None:
        if self._written:
            return
        self._deadline = now() + self._quiet_seconds
        if self._context is None:
            self._context = self._contexts.open(None, frame.voice_settings, self._ended)
        await self._context.hear(frame)
        if frame.text == "" and not frame.flush:
            self._end()

    async def quiet(self) -> None:
        """The text ends here: what there is of it is spoken."""
        if self._context is None:
            raise BodyTooSlow(f"nothing was sent for {self._quiet_seconds:g} s")
        self._end()

    async def stop(self) -> None:
        if self._context:
            await self._context.stop()

    def _end(self) -> None:
        self._written, self._deadline = True, float("inf")
        if self._context:
            self._context.end()

    def _ended(self, _: Context, error: JuneError | None) -> None:
        if not self.over.done():
            self.over.set_result((1000, "") if error is None else (close_code(error), str(error)))
