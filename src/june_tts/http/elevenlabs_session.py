"""What ElevenLabs' two sockets have in common: messages are read until the conversation is over."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any, Protocol

from june_tts.errors import JuneError
from june_tts.http.elevenlabs_context import Context, Manner
from june_tts.http.elevenlabs_frames import Frame, close_code, error_frame, read_frame
from june_tts.http.elevenlabs_schema import VoiceSettings
from june_tts.http.live_limits import LiveLimits
from june_tts.http.live_socket import LiveSocket
from june_tts.service.phrase_parts import PartsSpeech

Goodbye = tuple[int, str]
"""Close code and reason."""


class Conversation(Protocol):
    """What one kind of socket does with messages."""

    over: "asyncio.Future[Goodbye]"
    """Set when the socket is to be closed."""

    @property
    def deadline(self) -> float:
        """When `quiet` is to be called unless a message comes before, in the loop's time."""
        ...

    async def hear(self, frame: Frame) -> None: ...

    async def quiet(self) -> None: ...

    async def stop(self) -> None:
        """The socket has ended: nothing goes on."""
        ...


class Contexts:
    """Makes the contexts of one socket."""

    def __init__(self, manner: Manner, speech: PartsSpeech, socket: LiveSocket, limits: LiveLimits) -> None:
        self.manner = manner
        self.limits = limits
        self._speech = speech
        self._socket = socket
        self._numbers: Iterator[int] = itertools.count(1)

    def open(self, context_id: str | None, settings: VoiceSettings | None, ended: "Ended") -> Context:
        number = next(self._numbers)
        return Context(
            context_id,
            number,
            self.manner,
            self._speech,
            self._socket.send,
            ended,
            self.limits,
            settings,
        )


class Ended(Protocol):
    """Called when a context has sent its last message."""

    def __call__(self, context: Context, error: JuneError | None, /) -> None: ...


def now() -> float:
    return asyncio.get_running_loop().time()


async def converse(conversation: Conversation, socket: LiveSocket) -> None:
    """
    Raises:
        WebSocketDisconnect: the client is gone.
        Idle: it has been silent for too long.
    """
    listening = asyncio.create_task(_listen(conversation, socket))
    ends: set[asyncio.Future[Any]] = {listening, conversation.over}
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not conversation.over.done():
            listening.result()
        code, reason = conversation.over.result()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await conversation.stop()
    await socket.close(code, reason)


async def _listen(conversation: Conversation, socket: LiveSocket) -> None:
    """Until the client is gone or is misunderstood."""
    try:
        while True:
            try:
                async with asyncio.timeout_at(conversation.deadline):
                    message = await socket.receive()
            except TimeoutError:
                await conversation.quiet()
            else:
                await conversation.hear(read_frame(message))
    except JuneError as error:
        await socket.send(error_frame(error, None))
        if not conversation.over.done():
            conversation.over.set_result((close_code(error), str(error)))
