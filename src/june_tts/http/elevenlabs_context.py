"""One context of a socket: words go in, audio with the times of its characters comes out."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from june_tts.errors import InvalidRequest, JuneError, TextTooLong
from june_tts.http.elevenlabs_alignment import HeardWords, characters, in_milliseconds
from june_tts.http.elevenlabs_formats import Output
from june_tts.http.elevenlabs_frames import Alignment, Frame, audio_frame, error_frame, final_frame
from june_tts.http.elevenlabs_schema import VoiceSettings
from june_tts.http.live_limits import LiveLimits
from june_tts.http.live_turn import LiveTurn
from june_tts.http.live_words import Words
from june_tts.service.phrase_parts import PartsSpeech
from june_tts.service.rendering import render
from june_tts.types import SpeechRequest

Send = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a socket speaks: what its handshake asked for."""

    request: SpeechRequest
    """Of which each context changes the id and the speed."""
    output: Output
    auto_mode: bool
    """Every message is a sentence or a phrase: it is spoken without waiting for the next one."""
    absolute: bool
    """Times of characters count from the context's first sample, not from the message's own."""
    quiet_seconds: float
    """A context that hears nothing for so long gets no more text."""


class Context:
    """Whoever makes it calls `cancel` when it is not wanted any more, or when its socket ends."""

    def __init__(
        self,
        context_id: str | None,
        number: int,
        manner: Manner,
        speech: PartsSpeech,
        send: Send,
        ended: Callable[["Context", JuneError | None], None],
        limits: LiveLimits,
        settings: VoiceSettings | None,
    ) -> None:
        """
        Args:
            number: of the socket's contexts, so that one id used again is another in logs.
            ended: told once when the last message was sent, with what it failed of.
            settings: of its first message; the speed cannot change later.
        """
        self.context_id = context_id
        self.deadline = 0.0
        """When it has been quiet for too long, in the loop's time."""
        self.flushed = False
        """The client flushed, and has written nothing since."""
        self._manner = manner
        self._speech = speech
        self._send = send
        self._ended = ended
        self._limits = limits
        self._settings = settings
        self._characters = 0
        self._over = False
        speed = settings.speed if settings else None
        self._request = replace(
            manner.request,
            request_id=f"{manner.request.request_id}-{number}",
            speed=1.0 if speed is None else speed,
        )
        # as many as a turn may have: the reader of the socket must not wait, as what comes next may be the
        # word to stop this context or another
        self._turn = LiveTurn(self._speak, self._failed, replace(limits, waiting_chars=limits.turn_chars))

    async def hear(self, frame: Frame) -> None:
        """Take a message's words.

        Raises:
            InvalidRequest: it would change the voice's settings in the middle.
            TextTooLong: more words than a turn may have.
        """
        self._check(frame)
        text = frame.text or ""
        if text.strip():
            self.flushed = False
        await self._turn.write(text)
        if frame.flush or (self._manner.auto_mode and text.strip()):
            await self._turn.flush()
        self.flushed = self.flushed or frame.flush

    def end(self) -> None:
        """No more words: what is left is spoken."""
        self._turn.end()

    async def cancel(self) -> None:
        """Stop at once; the last message is sent unless it was already."""
        await self._turn.cancel()
        if not self._over:
            await self._finish(None)

    async def stop(self) -> None:
        """The same for a client that is gone."""
        await self._turn.cancel()

    def _check(self, frame: Frame) -> None:
        if frame.voice_settings and frame.voice_settings.speed not in (None, self._request.speed):
            raise InvalidRequest(
                "voice_settings.speed cannot change in the middle: expected it in the first message",
                param="voice_settings",
            )
        self._characters += len(frame.text or "")
        if self._characters > self._limits.turn_chars:
            raise TextTooLong(
                f"the text has {self._characters} characters, at most {self._limits.turn_chars} are accepted",
                param="text",
            )

    async def _speak(self, words: Words) -> None:
        heard = HeardWords()
        chunks = heard.of(self._speech.speak(self._request, words))
        times = _Times(heard, absolute=self._manner.absolute)
        async with aclosing(render(chunks, self._manner.output.encoder)) as audio:
            async for data in audio:
                await self._send(audio_frame(data, times.take(), self.context_id))
        if rest := times.take():
            await self._send(audio_frame(b"", rest, self.context_id))
        await self._finish(None)

    async def _failed(self, error: JuneError) -> None:
        await self._send(error_frame(error, self.context_id))
        await self._finish(error)

    async def _finish(self, error: JuneError | None) -> None:
        """Also after an error: clients keep a context until they hear that it is over."""
        self._over = True
        if error is None or self.context_id is not None:
            await self._send(final_frame(self.context_id))
        self._ended(self, error)


class _Times:
    """Of a context's characters, message by message."""

    def __init__(self, heard: HeardWords, *, absolute: bool) -> None:
        self._heard = heard
        self._absolute = absolute
        self._zero = 0.0

    def take(self) -> Alignment:
        found = characters(self._heard.take())
        told = in_milliseconds(found, self._zero)
        if found and not self._absolute:
            # the next message counts from here, where a client that adds up has arrived
            self._zero = found.ends[-1]
        return told
