"""Small servers of OpenAI's and Fish's APIs that do as they are told, for the tests of the remote engine."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import numpy as np
from aiohttp import web

from june_tts.audio.wav import stream_header

Mood = Literal["well", "hang", "stall", "dies", "broken", "busy", "silent", "unknown", "refuses", "locked"]

CHUNK = 4410
CHUNKS = 5


class RemoteServer:
    """Speaks CHUNKS chunks of one level, `level`; `mood` says what becomes of it."""

    def __init__(self, kind: str = "openai", level: float = 0.25, mood: Mood = "well") -> None:
        self.kind = kind
        self.level = level
        self.mood: Mood = mood
        self.healthy = True
        self.header = kind == "fish"
        self.listed: Sequence[Any] | None = None
        self.asked: list[dict[str, Any]] = []
        """Bodies of the requests for speech."""
        self.keys: list[str | None] = []
        self.checks = 0
        self.open = 0
        """Replies under way."""
        self.most_open = 0
        self.cancelled = 0
        self.pause = 0.0
        """Seconds between two chunks."""
        self.address = ""
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self) -> None:
        """On the port it had before, so that it can come back."""
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/audio/speech", self._speak)
        app.router.add_post("/v1/tts", self._speak)
        app.router.add_get("/v1/models", self._health)
        app.router.add_get("/v1/health", self._health)
        app.router.add_get("/v1/audio/voices", self._voices)
        app.router.add_get("/v1/references/list", self._voices)
        # a reply whose client has gone is cancelled: that is how these tests see it
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self.address = f"http://127.0.0.1:{self._port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _health(self, request: web.Request) -> web.Response:
        self.checks += 1
        return web.json_response({"status": "ok"}, status=200 if self.healthy else 500)

    async def _voices(self, _: web.Request) -> web.Response:
        if self.listed is None:
            return web.Response(status=404)
        return web.json_response({"reference_ids" if self.kind == "fish" else "voices": self.listed})

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(json.loads(await request.read()))
        self.keys.append(request.headers.get("Authorization"))
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            return await self._reply(request)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.open -= 1

    async def _reply(self, request: web.Request) -> web.StreamResponse:
        plain = {"broken": 500, "busy": 503, "unknown": 404, "refuses": 422, "locked": 401}
        if self.mood in plain:
            return web.json_response(
                {"error": {"message": "a secret text"}}, status=plain[self.mood], headers={"Retry-After": "7"}
            )
        if self.mood == "hang":
            await asyncio.sleep(60)
        reply = web.StreamResponse(headers={"Content-Type": "audio/wav"})
        await reply.prepare(request)
        if self.mood != "silent":
            await self._audio(reply, request)
        await reply.write_eof()
        return reply

    async def _audio(self, reply: web.StreamResponse, request: web.Request) -> None:
        if self.header:
            await reply.write(stream_header(22_050))
        chunk = np.full(CHUNK, round(self.level * 32768), "<i2").tobytes()
        for at in range(CHUNKS):
            if at == 2 and self.mood == "dies" and request.transport is not None:
                request.transport.abort()
                raise ConnectionResetError
            if at == 2 and self.mood == "stall":
                await asyncio.sleep(60)
            await reply.write(chunk)
            await asyncio.sleep(self.pause)


@asynccontextmanager
async def remote_servers(*servers: RemoteServer) -> AsyncIterator[tuple[str, ...]]:
    """Their addresses."""
    try:
        for server in servers:
            await server.start()
        yield tuple(server.address for server in servers)
    finally:
        for server in servers:
            await server.stop()
