"""Where `say` gets its speech from: engines in this process, or a server."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol
from uuid import uuid4

import httpx
import numpy as np

from june_tts.audio.encode import Encoder, open_encoder
from june_tts.bootstrap import running
from june_tts.cli.library import opened
from june_tts.errors import EngineFailed, InvalidRequest, JuneError, Unauthorized, VoiceNotFound
from june_tts.service.rendering import render
from june_tts.service.synthesis import Synthesizer
from june_tts.settings import Settings
from june_tts.types import AudioChunk, Format, SpeechRequest

_SERVER_RATE = 24_000
"""Hz of OpenAI's `pcm`, which has no header to say so."""
_MAX_ERROR_BYTES = 65_536
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
"""Seconds without any byte; a busy server may queue for some of them."""


class Speech(Protocol):
    """One utterance, taken either as samples or as bytes of a format."""

    def chunks(self) -> AsyncGenerator[AudioChunk, None]: ...

    def encoded(self, format: Format) -> AsyncGenerator[bytes, None]: ...


class _Local:
    def __init__(self, synthesizer: Synthesizer, request: SpeechRequest) -> None:
        self._synthesizer = synthesizer
        self._request = request

    def chunks(self) -> AsyncGenerator[AudioChunk, None]:
        return self._synthesizer.stream(self._request)

    def encoded(self, format: Format) -> AsyncGenerator[bytes, None]:
        def encoder(rate: int) -> Encoder:
            return open_encoder(format, rate)

        return render(self.chunks(), encoder)


@asynccontextmanager
async def local_speech(
    settings: Settings, text: str, voice_id: str, language: str | None, speed: float
) -> AsyncIterator[Speech]:
    """Engines in this process, started and closed again. Raises what `running` and the synthesizer raise."""
    request = SpeechRequest(uuid4().hex, text, voice_id, language, speed)
    async with running(await _needed(settings, voice_id)) as services:
        yield _Local(services.synthesizer, request)


async def _needed(settings: Settings, voice_id: str) -> Settings:
    """The settings with only the engine that speaks this voice: the other one would take a second to load."""
    async with opened(settings) as library:
        voice = await library.resolve(voice_id)
        # that no engine can speak it should be known before models are loaded
        library.engine_for(voice)
    if voice.engine is None:
        return settings
    # the default must be a voice of that engine, or the start would refuse it
    narrow = {"engines": (voice.engine,), "default_voice": voice.id, "voice_aliases": {voice_id: voice.id}}
    return settings.model_copy(update=narrow)


class ServerSpeech:
    """A running server, asked through its OpenAI endpoint."""

    def __init__(self, url: str, text: str, voice_id: str, speed: float, api_key: str | None) -> None:
        """Raises: InvalidRequest, where the address is none."""
        if not url.startswith(("http://", "https://")):
            raise InvalidRequest(f"--server {url!r}: expected http://HOST:PORT", param="server")
        self._url = url.rstrip("/")
        self._body = {"model": "tts-1", "input": text, "voice": voice_id, "speed": speed}
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}

    async def chunks(self) -> AsyncGenerator[AudioChunk, None]:
        odd = b""
        async for data in self.encoded("pcm"):
            whole = odd + data
            odd = whole[len(whole) // 2 * 2 :]
            samples = np.frombuffer(whole[: len(whole) - len(odd)], "<i2").astype(np.float32) / np.float32(
                32_768
            )
            yield AudioChunk(samples, _SERVER_RATE)

    async def encoded(self, format: Format) -> AsyncGenerator[bytes, None]:
        """Raises: EngineFailed, VoiceNotFound, InvalidRequest, Unauthorized, as the server answers."""
        body = self._body | {"response_format": format}
        try:
            async with (
                httpx.AsyncClient(timeout=_TIMEOUT) as client,
                client.stream(
                    "POST", f"{self._url}/v1/audio/speech", json=body, headers=self._headers
                ) as reply,
            ):
                if reply.status_code != httpx.codes.OK:
                    raise await _refusal(reply, self._url)
                async for data in reply.aiter_bytes():
                    yield data
        except (httpx.HTTPError, httpx.InvalidURL) as bad:
            raise EngineFailed(f"{self._url}: {str(bad) or type(bad).__name__}") from bad


async def _refusal(reply: httpx.Response, url: str) -> JuneError:
    raw = b""
    async for data in reply.aiter_bytes():
        raw += data
        if len(raw) > _MAX_ERROR_BYTES:
            break
    message = f"{url}: HTTP {reply.status_code}: {_message(raw)}"
    kinds: dict[int, type[JuneError]] = {401: Unauthorized, 404: VoiceNotFound}
    usual = InvalidRequest if reply.is_client_error else EngineFailed
    return kinds.get(reply.status_code, usual)(message)


def _message(raw: bytes) -> str:
    """The message of an error in OpenAI's shape, else the start of the body."""
    try:
        return str(httpx.Response(200, content=raw).json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return raw[:200].decode("utf-8", "replace")
