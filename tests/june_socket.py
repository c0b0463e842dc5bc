"""A server that speaks the plugin's part of the wire, and does what the voice in its address says."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

RATE = 24_000
TENTH = b"\1\0" * (RATE // 10)
"""A tenth of a second: how every text sounds here."""


class JuneSocket:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[web.Request] = []
        self.sockets: list[web.WebSocketResponse] = []
        self.frames: list[dict[str, Any]] = []
        self.cuts = 0
        """So many turns end with the socket, before there is audio."""
        self._told = asyncio.Event()
        self._joined = asyncio.Event()

    @property
    def texts(self) -> list[str]:
        return [frame["text"] for frame in self.frames if frame.get("text", "").strip()]

    def count(self, key: str, value: object) -> int:
        """Of the frames that have it."""
        return sum(frame.get(key) == value for frame in self.frames)

    async def told(self, key: str, value: object, times: int = 1) -> None:
        """Wait for frames that have it."""
        async with asyncio.timeout(5):
            while self.count(key, value) < times:
                self._told.clear()
                await self._told.wait()

    async def joined(self) -> None:
        """Wait for the first socket."""
        async with asyncio.timeout(5):
            await self._joined.wait()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        voice = request.match_info["voice"]
        if voice.isdecimal():
            return web.json_response({}, status=int(voice))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        self._joined.set()
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._hear(socket, voice, json.loads(message.data))
        return socket

    async def _hear(self, socket: web.WebSocketResponse, voice: str, frame: dict[str, Any]) -> None:
        self.frames.append(frame)
        self._told.set()
        context = {"contextId": frame["context_id"]}
        if voice == "silent":
            return
        if frame.get("text", "").strip() and voice != "mute":
            if self.cuts:
                self.cuts -= 1
                await socket.close()
                return
            await socket.send_json(context | _audio(frame["text"]))
            if voice == "cut":
                await socket.close()
        if voice in ("broken", "wrong"):
            code = 1011 if voice == "broken" else 1008
            await socket.send_json(context | {"error": voice, "message": f"it is {voice}", "code": code})
        elif frame.get("close_context"):
            await socket.send_json(context | {"isFinal": True})


def _audio(text: str) -> dict[str, Any]:
    times = {"charStartTimesMs": [0] * len(text), "charDurationsMs": [10] * len(text)}
    return {"audio": base64.b64encode(TENTH).decode(), "alignment": {"chars": [*text], **times}}


@asynccontextmanager
async def june_socket() -> AsyncIterator[JuneSocket]:
    june = JuneSocket()
    app = web.Application()
    app.router.add_get("/v1/text-to-speech/{voice}/multi-stream-input", june.serve)
    async with TestServer(app) as server:
        june.url = str(server.make_url("/"))
        yield june
