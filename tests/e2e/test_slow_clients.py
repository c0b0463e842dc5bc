"""Clients that say nothing, or very little, are given up in time, and make room for those who speak."""

import asyncio
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from tests.e2e.page_server import serving
from websockets.asyncio.client import connect

pytestmark = pytest.mark.e2e

HEADER_SECONDS = 1.0
CONNECTIONS = 20
MARGIN_SECONDS = 2.0
REQUEST = b"GET /health/live HTTP/1.1\r\nHost: june\r\n\r\n"
SPEECH = {"input": "Hello.", "voice": "fake", "response_format": "pcm"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = {
        "JUNE_ENGINES": "fake",
        "JUNE_DEFAULT_VOICE": "fake",
        "JUNE_HEADER_SECONDS": str(HEADER_SECONDS),
        "JUNE_MAX_CONNECTIONS": str(CONNECTIONS),
    }
    with serving(tmp_path_factory.mktemp("slow"), **given) as address:
        yield address


class Client:
    """A connection, and the bytes on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    async def trickle(self, data: bytes, pause: float) -> None:
        for byte in data:
            self.writer.write(bytes([byte]))
            await asyncio.sleep(pause)

    async def until_closed(self) -> tuple[bytes, float]:
        """What was said, and after how many seconds it was over."""
        began = time.monotonic()
        said = await asyncio.wait_for(self.reader.read(), 20)
        return said, time.monotonic() - began


async def connected(server: str) -> Client:
    there = urlsplit(server)
    return Client(*await asyncio.open_connection(there.hostname, there.port))


@pytest.mark.parametrize("sent", [b"", b"GET /health/live HTTP/1.1\r\nHost: ju"], ids=["nothing", "half"])
async def test_headers_that_do_not_come_are_not_waited_for(server: str, sent: bytes) -> None:
    async with await connected(server) as client:
        client.writer.write(sent)
        said, seconds = await client.until_closed()
    assert said.startswith(b"HTTP/1.1 408 ")
    assert HEADER_SECONDS / 2 < seconds < HEADER_SECONDS + MARGIN_SECONDS


async def test_headers_that_trickle_do_not_get_more_time(server: str) -> None:
    async with await connected(server) as client:
        trickling = asyncio.create_task(client.trickle(REQUEST * 10, HEADER_SECONDS / 20))
        said, seconds = await client.until_closed()
        trickling.cancel()
    assert said.startswith(b"HTTP/1.1 408 ")
    assert seconds < HEADER_SECONDS + MARGIN_SECONDS


@pytest.mark.parametrize("sent", [b"\r\n", b"GET /hea"], ids=["empty lines", "half a request"])
async def test_a_connection_that_was_used_before_gets_no_more_time_either(server: str, sent: bytes) -> None:
    async with await connected(server) as client:
        client.writer.write(REQUEST)
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        await client.reader.readexactly(len(b'{"status":"ok"}'))
        client.writer.write(sent)
        said, seconds = await client.until_closed()
    assert said.startswith(b"HTTP/1.1 408 ")
    assert seconds < HEADER_SECONDS + MARGIN_SECONDS


async def test_a_connection_that_speaks_again_and_again_is_kept(server: str) -> None:
    async with await connected(server) as client:
        for _ in range(4):
            client.writer.write(REQUEST)
            assert (await client.reader.readuntil(b'{"status":"ok"}')).startswith(b"HTTP/1.1 200 ")
            await asyncio.sleep(HEADER_SECONDS / 2)


async def test_a_websocket_may_be_silent_for_longer(server: str) -> None:
    async with connect(server.replace("http", "ws", 1) + "/v1/tts/live") as socket:
        await asyncio.sleep(HEADER_SECONDS * 1.5)
        await (await socket.ping())


async def test_whoever_speaks_takes_the_place_of_one_that_says_nothing(server: str) -> None:
    silent = [await connected(server) for _ in range(CONNECTIONS)]
    async with httpx.AsyncClient(base_url=server) as http:
        reply = await http.post("/v1/audio/speech", json=SPEECH)
    assert reply.status_code == 200
    said, _ = await silent[0].until_closed()
    assert said.startswith(b"HTTP/1.1 503 ") and b"retry-after: 1" in said
    for client in silent:
        client.writer.transport.abort()


async def test_one_too_many_of_those_who_speak_is_refused_and_nobody_else_is(server: str) -> None:
    busy = [await connected(server) for _ in range(CONNECTIONS)]
    for client in busy:
        client.writer.write(b"POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nContent-Length: 100\r\n\r\n{")
    await asyncio.sleep(0.1)
    async with await connected(server) as client:
        said, _ = await client.until_closed()
    assert said.startswith(b"HTTP/1.1 503 ")
    assert not any(client.reader.at_eof() for client in busy)
    for client in busy:
        client.writer.transport.abort()
