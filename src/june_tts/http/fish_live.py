"""Fish Audio's `/v1/tts/live`: turn after turn on one socket, in msgpack.

A turn is `start`, then `text` and `flush` as often as they come, then `stop`. What it says comes back as
`audio`, and after the last of it `finish`. Who is refused is told why in a `finish` with the reason "error".
"""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import msgpack
from pydantic import ValidationError

from june_tts.errors import BodyTooSlow, InvalidRequest, JuneError, TextTooLong
from june_tts.http.errors import refusal
from june_tts.http.fish_body import unpacked
from june_tts.http.fish_schema import TTSBody
from june_tts.http.fish_speech import Usual, checked_rate, speech_encoder, speech_request
from june_tts.http.live_audio import messages
from june_tts.http.live_socket import AGAIN, FAILED, TOO_MUCH, WRONG_KIND, Idle, LiveSocket
from june_tts.http.live_turn import LiveTurn
from june_tts.http.live_words import Words
from june_tts.http.services import Services
from june_tts.service.rendering import render

RAW = ("wav", "pcm")
EVENTS = ("start", "text", "flush", "stop")
MOST_FAULTS = 16
"""Messages of one socket that are no messages of this API, until it is closed."""


class FishConversation:
    """One socket. `run` it; it returns when the socket is not to be used any more."""

    def __init__(self, socket: LiveSocket, given: Services, usual: Usual, ident: str) -> None:
        """
        Args:
            usual: what a request gets that does not say.
            ident: of the socket; its turns are numbered in logs.
        """
        self._socket = socket
        self._given = given
        self._usual = usual
        self._ident = ident
        self._turn: LiveTurn | None = None
        self._stopped = False
        """No more words: the turn speaks what is left."""
        self._broken = False
        """The turn was ended with an error; what is still on its way to it goes nowhere."""
        self._turns = 0
        self._faults = 0
        self._leaving = False

    async def run(self) -> None:
        """
        Raises:
            WebSocketDisconnect: the client is gone.
            Idle: it has been silent for too long.
        """
        try:
            while not self._leaving:
                await self._answer(await self._socket.receive())
        except Idle as idle:
            if self._turn and self._turn.open:
                await self._finish(BodyTooSlow(str(idle)))
            raise
        finally:
            if self._turn:
                await self._turn.cancel()

    async def _answer(self, message: str | bytes) -> None:
        if isinstance(message, str):
            return await self._leave(WRONG_KIND, "expected binary messages: msgpack")
        if self._turn and self._stopped:
            await self._turn.over()  # and then what belongs to the next one
        try:
            event = _event(message)
            await self._take(event["event"], event)
        except InvalidRequest as bad:
            await self._refuse(bad)

    async def _take(self, name: str, event: Mapping[str, Any]) -> None:
        if name == "start":
            self._start(event)
        elif self._turn is None or self._stopped or self._broken:
            self._astray(name)
        elif name == "text":
            await self._turn.write(_text(event))
        elif name == "flush":
            await self._turn.flush()
        else:
            self._stopped = True
            self._turn.end()

    def _start(self, event: Mapping[str, Any]) -> None:
        if self._turn and self._turn.open:
            raise InvalidRequest("start came within a turn: expected stop before it", param="event")
        body = _request(event)
        self._turns += 1
        self._stopped = self._broken = False

        async def speak(words: Words) -> None:
            await self._speak(body, words)

        self._turn = LiveTurn(speak, self._failed, self._given.live)

    def _astray(self, name: str) -> None:
        """What belongs to no turn. After an error some is still on its way, up to the turn's `stop`."""
        if not self._broken:
            raise InvalidRequest(f"{name} came outside of a turn: expected start before it", param="event")
        if name == "stop":
            self._turn, self._broken = None, False

    async def _speak(self, body: TTSBody, words: Words) -> None:
        format = body.format or self._usual.format
        checked_rate(body, format)
        request, _ = await speech_request(body, self._given, f"{self._ident}-{self._turns}")
        if body.text:
            await words.put(body.text)
        audio = render(
            self._given.parts.speak(request, words), lambda rate: speech_encoder(body, format, rate)
        )
        async with aclosing(messages(audio, raw=format in RAW)) as parts:
            async for part in parts:
                await self._send({"event": "audio", "audio": part})
        await self._send({"event": "finish", "reason": "stop"})

    async def _failed(self, error: JuneError) -> None:
        """A client that keeps its turn open for hours would send the rest of it into nothing: it had better
        connect again. One that was refused is told, and may ask for something else."""
        self._broken = not self._stopped
        await self._finish(error)
        if isinstance(error, BodyTooSlow | TextTooLong):
            await self._leave(TOO_MUCH, str(error))
        elif error.retryable:
            await self._leave(AGAIN, str(error))
        elif not isinstance(error, InvalidRequest):
            await self._leave(FAILED, str(error))

    async def _refuse(self, bad: InvalidRequest) -> None:
        if self._turn:
            await self._turn.cancel()
        self._broken = True
        self._faults += 1
        await self._finish(bad)
        if self._faults >= MOST_FAULTS:
            await self._leave(TOO_MUCH, f"{self._faults} messages were not understood")

    async def _finish(self, error: JuneError) -> None:
        await self._send({"event": "finish", "reason": "error", "code": error.code, "message": str(error)})

    async def _leave(self, code: int, reason: str) -> None:
        self._leaving = True
        await self._socket.close(code, reason)

    async def _send(self, event: Mapping[str, Any]) -> None:
        await self._socket.send(msgpack.packb(event))


def _event(message: bytes) -> Mapping[str, Any]:
    """Raises: InvalidRequest, where it is none of EVENTS."""
    found = unpacked(message, "the message")
    if found.get("event") not in EVENTS:
        sent = ascii(found.get("event"))[:60]
        raise InvalidRequest(f"event is {sent}: expected one of {', '.join(EVENTS)}", param="event")
    return found


def _text(event: Mapping[str, Any]) -> str:
    text = event.get("text")
    if not isinstance(text, str):
        raise InvalidRequest(f"text is a {type(text).__name__}: expected a string", param="text")
    return text


def _request(event: Mapping[str, Any]) -> TTSBody:
    fields = event.get("request")
    if not isinstance(fields, dict):
        raise InvalidRequest(f"request is a {type(fields).__name__}: expected an object", param="request")
    try:
        return TTSBody.model_validate({"text": "", **fields})
    except ValidationError as bad:
        raise refusal(bad) from None
