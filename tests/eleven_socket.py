"""ElevenLabs' sockets as JSON on a connection, with a deadline for each message."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.live_server import WAIT_SECONDS, LiveServer

RATE = 24_000
STREAM, MULTI = "stream-input", "multi-stream-input"
Message = dict[str, Any]


class Talk:
    """Sends messages and reads them."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._kept: dict[str | None, list[Message]] = {}
        """Of each context, until they are asked for."""

    async def send(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def next(self, seconds: float = WAIT_SECONDS) -> Message:
        found: Message = json.loads(await asyncio.wait_for(self.connection.recv(), seconds))
        return found

    async def until(self, key: str, value: object = None) -> list[Message]:
        """The messages up to the first that has this."""
        found = [await self.next()]
        while found[-1].get(key) in (None, False) or (value is not None and found[-1][key] != value):
            found.append(await self.next())
        return found

    async def final(self, context_id: str | None = None) -> list[Message]:
        """Those of one context up to its last one."""
        while not any(message.get("isFinal") for message in self._kept.get(context_id, [])):
            message = await self.next()
            self._kept.setdefault(message.get("contextId"), []).append(message)
        return self._kept.pop(context_id)

    async def closed(self) -> tuple[list[Message], int, str]:
        """The rest of the messages, and what the server closes with."""
        found: list[Message] = []
        with pytest.raises(ConnectionClosed) as end:
            while True:
                found.append(await self.next())
        assert end.value.rcvd is not None
        return found, end.value.rcvd.code, end.value.rcvd.reason


@asynccontextmanager
async def talking(
    server: LiveServer, kind: str, voice: str = "fake", headers: dict[str, str] | None = None, **query: Any
) -> AsyncIterator[Talk]:
    asked = "&".join(f"{name}={value}" for name, value in {"output_format": "pcm_24000", **query}.items())
    address = f"{server.url.replace('http', 'ws', 1)}/v1/text-to-speech/{voice}/{kind}?{asked}"
    async with connect(address, additional_headers=headers) as connection:
        yield Talk(connection)


def heard(messages: list[Message]) -> bytes:
    return b"".join(base64.b64decode(message["audio"]) for message in messages if message.get("audio"))


def seconds(messages: list[Message]) -> float:
    return len(heard(messages)) / 2 / RATE


def said(messages: list[Message]) -> str:
    """The characters of all alignments."""
    return "".join(c for m in messages if m.get("alignment") for c in m["alignment"]["chars"])
