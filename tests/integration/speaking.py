"""A small TTS server on a real socket, whose `voice` says how well or badly it behaves."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

RATE = 24_000
TENTH = b"\0" * (RATE // 5)
"""A tenth of a second of pcm."""
PAUSE = 0.5
"""Seconds between the two chunks of the voice `stall`, and before the answer of the voice `one-by-one`."""


class Speaking:
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.texts: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.most_at_once = 0
        self._now = 0
        self._turn = asyncio.Lock()

    def app(self) -> Starlette:
        paths = ("/v1/audio/speech", "/v1/tts", "/synthesize")
        return Starlette(routes=[Route(path, self._speak, methods=["POST"]) for path in paths])

    async def _speak(self, request: Request) -> Response:
        body = json.loads(await request.body())
        self.texts.append(body.get("input") or body["text"])
        self.headers.append(dict(request.headers))
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            return await self._answer(body.get("voice") or body.get("reference_id") or "wav")
        finally:
            self._now -= 1

    async def _answer(self, voice: str) -> Response:
        if voice == "wav":
            return Response(wav_header(4 * len(TENTH)) + 4 * TENTH, media_type="text/html")
        if voice == "full":
            return JSONResponse({"error": {"message": "try\nlater"}}, 503)
        if voice == "json":
            return JSONResponse({"audio": "AAAA"})
        if voice == "cut":
            return StreamingResponse(_pieces(TENTH), headers={"content-length": str(10 * len(TENTH))})
        if voice == "hang":
            await asyncio.sleep(3600)
        if voice == "one-by-one":
            async with self._turn:
                await asyncio.sleep(PAUSE)
        chunks = {"silent": (), "stall": (TENTH, None, TENTH)}.get(voice, (TENTH, TENTH))
        return StreamingResponse(_pieces(*chunks), media_type="audio/pcm")


async def _pieces(*chunks: bytes | None) -> AsyncIterator[bytes]:
    for chunk in chunks:
        if chunk is None:
            await asyncio.sleep(PAUSE)
        else:
            yield chunk


def wav_header(size: int) -> bytes:
    sizes = (size + 36).to_bytes(4, "little"), size.to_bytes(4, "little")
    rates = RATE.to_bytes(4, "little") + (2 * RATE).to_bytes(4, "little")
    return b"RIFF" + sizes[0] + b"WAVEfmt \x10\0\0\0\1\0\1\0" + rates + b"\2\0\x10\0data" + sizes[1]


@contextmanager
def speaking_server() -> Iterator[Speaking]:
    """Serves in a thread until the block ends."""
    fake = Speaking()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        fake.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(fake.app(), log_level="critical", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            yield fake
        finally:
            server.should_exit = True
            thread.join(20)
