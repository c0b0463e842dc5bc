"""`multi-stream-input`: several texts on one socket, each in a context of its own, spoken side by side."""

import asyncio

from june_tts.errors import InvalidRequest, JuneError, Overloaded
from june_tts.http.elevenlabs_context import Context
from june_tts.http.elevenlabs_frames import Frame, error_frame, final_frame
from june_tts.http.elevenlabs_session import Contexts, Goodbye, now
from june_tts.http.live_socket import AWAY, LiveSocket


class MultiStreamInput:
    """The first message with an id opens its context, `close_context` closes it, `close_socket` all of them.

    What was flushed is still spoken when its context is closed, and then `isFinal` comes; what was not is
    cancelled at once, as is what is closed for the second time: that is how clients interrupt.
    """

    def __init__(self, contexts: Contexts, socket: LiveSocket) -> None:
        self.over: asyncio.Future[Goodbye] = asyncio.get_running_loop().create_future()
        self._contexts = contexts
        self._socket = socket
        self._open: dict[str | None, Context] = {}
        self._ending: list[Context] = []
        """Closed, and still speaking what was flushed."""
        self._leaving = False
        self._quiet_seconds = contexts.manner.quiet_seconds
        self._heard = now()

    @property
    def deadline(self) -> float:
        if self._open:
            return min(context.deadline for context in self._open.values())
        # one that is still ending is looked for again after as long
        return (now() if self._ending or self._leaving else self._heard) + self._quiet_seconds

    async def hear(self, frame: Frame) -> None:
        self._heard = now()
        if self._leaving:
            return
        if frame.close_socket:
            await self._leave()
        elif frame.close_context:
            await self._close(frame.context_id)
        else:
            await self._write(frame)

    async def quiet(self) -> None:
        """Contexts without news get no more text; a socket without contexts is closed."""
        if not (self._open or self._ending or self._leaving or self.over.done()):
            self.over.set_result((AWAY, f"nothing was sent for {self._quiet_seconds:g} s"))
        for context_id, context in [*self._open.items()]:
            if context.deadline <= now():
                self._let_end(self._open.pop(context_id))

    async def stop(self) -> None:
        for context in (*self._open.values(), *self._ending):
            await context.stop()

    async def _write(self, frame: Frame) -> None:
        try:
            context = self._open.get(frame.context_id) or self._opened(frame)
            if context:
                context.deadline = now() + self._quiet_seconds
                await context.hear(frame)
        except (InvalidRequest, Overloaded) as refusal:
            await self._refuse(frame.context_id, refusal)

    def _opened(self, frame: Frame) -> Context | None:
        """A new context; None where the message has no words and only keeps the socket alive."""
        if not frame.text:
            return None
        if len(self._open) + len(self._ending) >= self._contexts.limits.contexts:
            raise Overloaded(
                f"the socket has {self._contexts.limits.contexts} contexts: close one before the next"
            )
        context = self._contexts.open(frame.context_id, frame.voice_settings, self._ended)
        self._open[frame.context_id] = context
        return context

    async def _close(self, context_id: str | None) -> None:
        context = self._open.pop(context_id, None)
        if context and context.flushed:
            self._let_end(context)
        elif context:
            await context.cancel()
        else:
            for ending in [one for one in self._ending if one.context_id == context_id]:
                await ending.cancel()

    def _let_end(self, context: Context) -> None:
        self._ending.append(context)
        context.end()

    async def _leave(self) -> None:
        self._leaving = True
        for context_id in [*self._open]:
            await self._close(context_id)
        self._gone()

    async def _refuse(self, context_id: str | None, refusal: JuneError) -> None:
        await self._socket.send(error_frame(refusal, context_id))
        context = self._open.pop(context_id, None)
        if context:
            await context.cancel()
        else:
            await self._socket.send(final_frame(context_id))

    def _ended(self, context: Context, _: JuneError | None) -> None:
        if self._open.get(context.context_id) is context:
            del self._open[context.context_id]
        if context in self._ending:
            self._ending.remove(context)
        self._gone()

    def _gone(self) -> None:
        if self._leaving and not (self._open or self._ending) and not self.over.done():
            self.over.set_result((1000, ""))
