"""One request to one remote server: its audio as it comes, or why there is none."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from june_tts.engine.remote_api import APIS, Kind, listed_voices
from june_tts.engine.remote_audio import PcmReader
from june_tts.engine.remote_server import Server
from june_tts.errors import EngineFailed, InvalidRequest, JuneError, Overloaded, VoiceNotFound, shown
from june_tts.telemetry.tracing import current, outgoing
from june_tts.types import AudioChunk, Samples

MOST_SECONDS = 1800.0
"""Of audio in one reply: a server that goes on is taken to be mad."""
MOST_LIST_BYTES = 1 << 20
ANSWER_SECONDS = 3.0
"""For a health check, beside the time to connect."""
BUSY = (429, 503)
LOCKED = (401, 403)


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """How remote servers are asked. All times in seconds."""

    addresses: tuple[str, ...]
    """http://host:port, without a path unless the API lies under one."""
    kind: Kind
    api_key: str | None = field(default=None, repr=False)
    model: str = "tts-1"
    voice: str | None = None
    """Offered whatever the servers list; None: the kind's own."""
    languages: tuple[str, ...] = ("en-US",)
    raw_rate: int | None = None
    """Hz of PCM without a header; None: the kind's own."""
    piece_chars: int = 1000
    """Longest text of one request."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Put into every request for speech."""
    connect_seconds: float = 2.0
    first_seconds: float = 30.0
    gap_seconds: float = 10.0
    health_seconds: float = 5.0


class ServerFailed(Exception):
    """The server did not do its part; the message is one for the log."""


class NotHere(Exception):
    """This server will not do it, another one may."""

    def __init__(self, error: JuneError) -> None:
        super().__init__(str(error))
        self.error = error
        """What to tell the caller where no other one does."""


class RemoteClient:
    """`close` it after the last call."""

    def __init__(self, options: RemoteOptions) -> None:
        self._options = options
        self._api = APIS[options.kind]
        self._raw_rate = options.raw_rate or self._api.raw_rate
        headers = {"Authorization": f"Bearer {options.api_key}"} if options.api_key else {}
        self._session = aiohttp.ClientSession(
            headers=headers,
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=options.connect_seconds),
        )

    async def close(self) -> None:
        await self._session.close()

    async def speak(self, server: Server, body: Mapping[str, Any]) -> AsyncGenerator[AudioChunk, None]:
        """Closing the generator closes the connection, which is how a server learns to stop.

        Raises:
            ServerFailed: at any time.
            NotHere: before the first chunk.
            InvalidRequest: before the first chunk; no other server would do it either.
        """
        span = current().child("POST", kind="client", server=server.address)
        try:
            async with aclosing(self._speech(server, body, outgoing(span.context))) as chunks:
                async for chunk in chunks:
                    yield chunk
        except Exception as error:
            span.fail(type(error).__name__)
            raise
        finally:
            span.end()

    async def _speech(
        self, server: Server, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> AsyncGenerator[AudioChunk, None]:
        limit = asyncio.get_running_loop().time() + self._options.first_seconds
        response = await self._post(server, body, limit, headers)
        try:
            _check(response, str(body.get("voice") or body.get("reference_id") or ""))
            reader = PcmReader(response.headers.get("Content-Type", ""), self._raw_rate)
            seconds = 0.0
            while data := await self._read(response, None if seconds else limit):
                if not (samples := _samples(reader, data)).size:
                    continue
                yield AudioChunk(samples, reader.sample_rate)
                seconds += samples.size / reader.sample_rate
                if seconds > MOST_SECONDS:
                    raise ServerFailed(f"sent more than {MOST_SECONDS:g} s of audio")
            if not seconds:
                raise ServerFailed("sent no audio")
        finally:
            response.close()

    async def healthy(self, server: Server) -> None:
        """Return where it answers. Raises: ServerFailed."""
        async with self._get(server, self._api.health) as response:
            if response.status >= 500 or response.status in LOCKED:
                raise ServerFailed(f"answered a health check with {response.status}")

    async def voices(self, server: Server) -> tuple[str, ...] | None:
        """What it lists; None where it lists nothing that we understand. Raises: ServerFailed."""
        async with self._get(server, self._api.voices) as response:
            if response.status != 200:
                return None
            data = await response.content.read(MOST_LIST_BYTES)
            while len(data) < MOST_LIST_BYTES and (more := await response.content.read(MOST_LIST_BYTES)):
                data += more
        try:
            return listed_voices(json.loads(data))
        except (ValueError, RecursionError):
            return None

    async def _post(
        self, server: Server, body: Mapping[str, Any], limit: float, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        try:
            async with asyncio.timeout_at(limit):
                return await self._session.post(
                    server.address + self._api.speech, json=body, headers=headers, allow_redirects=False
                )
        except (aiohttp.ClientError, OSError) as bad:  # TimeoutError is an OSError
            raise ServerFailed(_reason(bad, "did not begin in time")) from bad

    async def _read(self, response: aiohttp.ClientResponse, limit: float | None) -> bytes:
        """More of the body; empty at its end. Within `limit` for the first audio, then within the gap."""
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(now + self._options.gap_seconds if limit is None else limit):
                return await response.content.readany()
        except (aiohttp.ClientError, OSError) as bad:
            late = "did not begin in time" if limit is not None else "sent nothing for too long"
            raise ServerFailed(_reason(bad, late)) from bad

    @asynccontextmanager
    async def _get(self, server: Server, path: str) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with (
                asyncio.timeout(self._options.connect_seconds + ANSWER_SECONDS),
                self._session.get(server.address + path, allow_redirects=False) as response,
            ):
                yield response
        except (aiohttp.ClientError, OSError) as bad:
            raise ServerFailed(_reason(bad, "did not answer a health check")) from bad


def _check(response: aiohttp.ClientResponse, voice: str) -> None:
    """Raises: ServerFailed, NotHere, InvalidRequest. What the server says of its reasons stays there: it may
    repeat the text, and messages are logged."""
    status = response.status
    if status == 200:
        return
    if status in BUSY:
        retry_after = _seconds(response.headers.get("Retry-After", ""))
        raise NotHere(Overloaded("the remote servers are busy", retry_after=retry_after))
    if status == 404:
        raise NotHere(VoiceNotFound(f"no remote server has the voice {shown(voice)}", param="voice_id"))
    if status >= 500 or status in LOCKED or status < 400:
        raise ServerFailed(f"answered with {status}")
    raise InvalidRequest(f"the remote server refused the request with status {status}")


def _samples(reader: PcmReader, data: bytes) -> Samples:
    try:
        return reader.feed(data)
    except EngineFailed as bad:
        raise ServerFailed(str(bad)) from bad


def _seconds(text: str) -> float:
    """Of a Retry-After header, which may also be a date: then soon."""
    return min(float(text), 60.0) if re.fullmatch("[0-9]{1,9}", text) else 1.0


def _reason(bad: Exception, late: str) -> str:
    """The kind of fault, without what libraries put into messages."""
    if isinstance(bad, TimeoutError):
        return late
    return type(bad).__name__ if not isinstance(bad, aiohttp.ClientConnectorError) else "cannot be reached"
