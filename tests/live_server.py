"""The HTTP surface over a fake engine on a real socket, and Fish's live API as bytes on it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgpack
import uvicorn
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from june_tts.engine.fake import FakeEngine
from june_tts.settings import Settings
from june_tts.workers.server import server_config
from tests.fake_server import FakeServer, fake_server

WAIT_SECONDS = 10.0
"""For anything that should happen at once."""


@dataclass(frozen=True)
class LiveServer:
    fake: FakeServer
    url: str
    """http://host:port"""
    sockets: list[str]
    """The path of each WebSocket that was ever asked for."""

    @property
    def live(self) -> str:
        return self.url.replace("http", "ws", 1) + "/v1/tts/live"


@asynccontextmanager
async def live_server(
    engine: FakeEngine | None = None, *, frame_bytes: int = 1 << 20, **given: Any
) -> AsyncIterator[LiveServer]:
    """`given`: as `fake_server` takes it."""
    settings = Settings.model_validate({"JUNE_LIVE_FRAME_BYTES": frame_bytes})
    async with fake_server(engine, **given) as fake:
        listener = socket.create_server(("127.0.0.1", 0))
        sockets: list[str] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "websocket":
                sockets.append(scope["path"])
            await fake.app(scope, receive, send)

        server = uvicorn.Server(server_config(app, settings))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            await becomes(lambda: server.started)
            yield LiveServer(fake, f"http://127.0.0.1:{listener.getsockname()[1]}", sockets)
        finally:
            server.should_exit = True
            await asyncio.wait_for(serving, WAIT_SECONDS)
            listener.close()


class Client:
    """Sends events and reads them, with a deadline for each."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.received: list[dict[str, Any]] = []

    async def send(self, event: str, **fields: Any) -> None:
        await self.connection.send(msgpack.packb({"event": event, **fields}))

    async def start(self, **request: Any) -> None:
        await self.send("start", request={"text": "", "format": "pcm", "sample_rate": 24_000, **request})

    async def say(self, *texts: str, **request: Any) -> None:
        """A whole turn, up to its stop."""
        await self.start(**request)
        for text in texts:
            await self.send("text", text=text)
        await self.send("stop")

    async def next(self, seconds: float = WAIT_SECONDS) -> dict[str, Any]:
        message = await asyncio.wait_for(self.connection.recv(), seconds)
        assert isinstance(message, bytes)
        found: dict[str, Any] = msgpack.unpackb(message)
        self.received.append(found)
        return found

    async def turn(self) -> tuple[list[bytes], dict[str, Any]]:
        """The audio messages up to a finish, and the finish."""
        audio: list[bytes] = []
        while (event := await self.next())["event"] == "audio":
            audio.append(event["audio"])
        return audio, event


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Client]:
    async with connect(url, **options) as connection:
        yield Client(connection)


async def becomes(true: Any, seconds: float = WAIT_SECONDS) -> None:
    """Wait until a condition holds; fails where it does not in time."""
    async with asyncio.timeout(seconds):
        while True:
            if true():
                return
            await asyncio.sleep(0.01)


def spoken(server: LiveServer) -> list[str]:
    """What the engine was given to speak."""
    return [text for _, text in server.fake.engine.spoken]


async def closed(client: Client) -> int:
    """The code that the server closes with; messages before it are read."""
    try:
        while True:
            await client.next()
    except ConnectionClosed as end:
        assert end.rcvd is not None
        return end.rcvd.code
