"""Speech from other servers: those of Fish's HTTP API or of OpenAI's, several at a time.

A piece of text is one request. It goes to the server with the fewest requests under way; where that one fails
before anything of the piece has been heard, the next one is asked. See docs/decisions/remote-engines.md.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import aclosing
from typing import Any

import numpy as np
import structlog

from june_tts.audio.seams import PAUSE_MS
from june_tts.engine.recordings import Recordings
from june_tts.engine.remote_api import APIS, UNNAMED, fish_body, openai_body
from june_tts.engine.remote_client import NotHere, RemoteClient, RemoteOptions, ServerFailed
from june_tts.engine.remote_server import Server, Servers
from june_tts.errors import EngineFailed, JuneError, UnsupportedParameter
from june_tts.types import AudioChunk, Capabilities, InlineReference, Piece, Utterance, Voice

LICENSE = "as the remote server's"
OPENAI_VOICE = "alloy"

log = structlog.get_logger(__name__)


class RemoteEngine:
    name = "remote"

    def __init__(
        self, options: RemoteOptions, recordings: Recordings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._options = options
        self._api = APIS[options.kind]
        self._recordings = recordings
        self.servers = Servers([Server(address) for address in options.addresses], clock)
        self._client: RemoteClient | None = None
        self._watching: asyncio.Task[None] | None = None
        self.active = 0

    @property
    def running(self) -> int:
        """Requests under way."""
        return sum(server.outstanding for server in self.servers.all)

    def capabilities(self) -> Capabilities:
        return Capabilities(
            engine=self.name,
            languages=self._options.languages,
            clones=self._api.clones,
            parameters=self._api.parameters,
            first_piece_chars=self._options.piece_chars,
            piece_chars=self._options.piece_chars,
            repeats="seeded",
        )

    def voices(self) -> Sequence[Voice]:
        """The configured one, then what the servers list; also while none of them can be reached."""
        listed = [voice for server in self.servers.all for voice in server.voices or ()]
        names = dict.fromkeys([self._default_voice, *listed])
        return [
            Voice(name, name, "builtin", self.name, self._options.languages, None, LICENSE) for name in names
        ]

    async def start(self) -> None:
        """Check the servers. One that cannot be reached is asked again later, and so are all."""
        self._client = RemoteClient(self._options)
        await self._check_all()
        self._watching = asyncio.create_task(self._watch())

    async def warm_voice(self, voice_id: str) -> None:
        await self._recordings(voice_id)

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        if self._api.kind == "fish" and utterance.speed != 1.0:
            raise UnsupportedParameter("speed: Fish's API has no tempo: leave it at 1", param="speed")
        self.active += 1
        try:
            references = await self._references(utterance)
            line = _Line(self._opened, self.servers, self._voice(utterance))
            pause: np.ndarray[Any, np.dtype[np.float32]] | None = None
            async for piece in pieces:
                if pause is not None:
                    yield AudioChunk(pause, line.sample_rate)
                body = self._body(piece.text, utterance, references)
                async with aclosing(line.speak(body)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                seconds = PAUSE_MS[piece.pause] / 1000 / utterance.speed
                pause = np.zeros(round(seconds * line.sample_rate), np.float32)
        finally:
            self.active -= 1

    @property
    def _default_voice(self) -> str:
        return self._options.voice or (UNNAMED if self._api.kind == "fish" else OPENAI_VOICE)

    @property
    def _opened(self) -> RemoteClient:
        if self._client is None:
            raise EngineFailed("the remote engine is not started")
        return self._client

    def _voice(self, utterance: Utterance) -> str | None:
        """What a server must list to be asked; the configured voice is taken to be everywhere."""
        everywhere = utterance.voice.kind == "cloned" or utterance.voice.id == self._default_voice
        return None if everywhere else utterance.voice.id

    async def _references(self, utterance: Utterance) -> tuple[InlineReference, ...]:
        if utterance.references or utterance.voice.kind != "cloned":
            return utterance.references
        return await self._recordings(utterance.voice.id)

    def _body(
        self, text: str, utterance: Utterance, references: tuple[InlineReference, ...]
    ) -> dict[str, Any]:
        if self._api.kind == "fish":
            return fish_body(text, utterance, references) | dict(self._options.fields)
        return openai_body(text, utterance, self._options.model) | dict(self._options.fields)

    async def _watch(self) -> None:
        while True:
            soon = self.servers.next_return()
            every = self._options.health_seconds
            await asyncio.sleep(every if soon is None else max(0.05, min(soon, every)))
            await self._check_all()

    async def _check_all(self) -> None:
        await asyncio.gather(*(self._check(server) for server in self.servers.to_check()))

    async def _check(self, server: Server) -> None:
        try:
            await self._opened.healthy(server)
            server.voices = await self._opened.voices(server)
            self.servers.answered(server)
        except ServerFailed as fault:
            self.servers.failed(server, str(fault))
            log.warning("remote server left out", address=server.address, reason=str(fault))


class _Line:
    """One utterance on its way through the servers."""

    def __init__(self, client: RemoteClient, servers: Servers, voice: str | None) -> None:
        self._client = client
        self._servers = servers
        self._voice = voice
        self._last: Server | None = None
        self.sample_rate = 0
        """Hz, of the first audio; 0 before it."""

    async def speak(self, body: dict[str, Any]) -> AsyncGenerator[AudioChunk, None]:
        """One piece, from the first server that can.

        Raises:
            EngineFailed: none could, or one stopped after something had been heard.
            JuneError: what a server refused it for.
        """
        tried: list[Server] = []
        refusal: JuneError | None = None
        while server := self._servers.pick(self._voice, tried=tried, last=self._last):
            tried.append(server)
            self._last = server
            heard = False
            try:
                async with aclosing(self._from(server, body)) as chunks:
                    async for chunk in chunks:
                        heard = True
                        yield chunk
                return
            except NotHere as busy:
                refusal = busy.error
            except ServerFailed as fault:
                self._servers.failed(server, str(fault))
                log.warning("remote server failed", address=server.address, reason=str(fault), heard=heard)
                if heard:
                    raise EngineFailed("the remote server stopped before the end") from fault
        raise refusal or EngineFailed(
            "no remote server can speak this now", retry_after=self._servers.next_return()
        )

    async def _from(self, server: Server, body: dict[str, Any]) -> AsyncGenerator[AudioChunk, None]:
        server.outstanding += 1
        try:
            async with aclosing(self._client.speak(server, body)) as chunks:
                async for chunk in chunks:
                    self.sample_rate = self.sample_rate or chunk.sample_rate
                    if chunk.sample_rate != self.sample_rate:
                        raise ServerFailed(
                            f"sent {chunk.sample_rate} Hz, the piece before {self.sample_rate}"
                        )
                    yield chunk
            self._servers.worked(server)
        finally:
            server.outstanding -= 1
