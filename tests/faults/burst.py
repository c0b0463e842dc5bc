"""Many requests at the same moment, by a client so small that it is not what is measured."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.faults.ledger import Line

REPLY_SECONDS = 30.0


@dataclass(frozen=True)
class Reply:
    status: int
    seconds: float
    retry_after: bool


End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Burst:
    """Connections that are open already; see `burst_to`."""

    def __init__(self, address: str) -> None:
        there = urlsplit(address)
        self._there = there.hostname, there.port
        self._ends: list[End] = []

    async def open(self, count: int) -> None:
        self._ends = [await asyncio.open_connection(*self._there) for _ in range(count)]

    async def close(self) -> None:
        for _, writer in self._ends:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for _, writer in self._ends), return_exceptions=True)

    async def speak(self, voice: str, line: Line, count: int | None = None) -> Counter[int]:
        """So many ask at once; how many had which status. Refusals and answers go into the line.

        Args:
            voice: each one's own where it has a `#`, which becomes the caller's number.
        """
        requests = [_request(voice.replace("#", str(number))) for number in range(len(self._ends))]
        await self._renew()
        asking = list(zip(self._ends, requests, strict=True))[:count]
        async with asyncio.timeout(REPLY_SECONDS):
            replies = await asyncio.gather(*(_ask(*end, request) for end, request in asking))
        for reply in replies:
            line.offered += 1
            if reply.status == 503:
                assert reply.retry_after, "a refusal says when to try again"
                line.refusal(reply.seconds)
            else:
                line.answered += 1
        return Counter(reply.status for reply in replies)

    async def _renew(self) -> None:
        """Connections that the server has closed, because nothing came for a while."""
        for at, (reader, writer) in enumerate(self._ends):
            if reader.at_eof():
                writer.close()
                self._ends[at] = await asyncio.open_connection(*self._there)


@asynccontextmanager
async def burst_to(address: str, count: int) -> AsyncIterator[Burst]:
    burst = Burst(address)
    try:
        await burst.open(count)
        yield burst
    finally:
        await burst.close()


def _request(voice: str) -> bytes:
    body = json.dumps({"input": "Hello.", "voice": voice, "response_format": "pcm"})
    head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Content-Type: application/json\r\n\r\n{body}".encode()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> Reply:
    began = time.monotonic()
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    seconds = time.monotonic() - began
    await _rest(reader, head)
    return Reply(int(head.split(b" ")[1]), seconds, b"\r\nretry-after: " in head)


async def _rest(reader: asyncio.StreamReader, head: bytes) -> None:
    """The body, so that the connection can be used again."""
    if b"transfer-encoding: chunked" not in head:
        size = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(size)
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        await reader.readexactly(size + 2)
    await reader.readexactly(2)
