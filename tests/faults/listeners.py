"""Listeners to long streams, who know whether what they heard was whole."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

FIRST_SECONDS = 3.0
BLOCK, PAUSE_SECONDS = 32_768, 0.1
"""At most so many bytes so often: 300 kB a second."""
LAST_CHUNK = b"0\r\n\r\n"


class Listener:
    """Takes its speech a few times as fast as it is heard."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
        self._reader, self._writer = reader, writer
        self._pause = PAUSE_SECONDS
        self.heard = 0
        """Bytes."""
        self._began = asyncio.Event()
        writer.write(request)
        self._listening = asyncio.create_task(self._listen())

    async def began(self) -> bool:
        """Wait for the first sound; False where something else came, a refusal for one."""
        begun = asyncio.create_task(self._began.wait())
        try:
            await asyncio.wait([begun, self._listening], return_when=asyncio.FIRST_COMPLETED)
        finally:
            begun.cancel()
        return self._began.is_set()

    @property
    def over(self) -> bool:
        return self._listening.done()

    async def end(self) -> str:
        """Wait for the end: `whole`, or `cut` in the middle, or what else was said in place of speech."""
        self._pause = 0.0  # what lies in the buffers between us says nothing of the server
        return await self._listening

    def close(self) -> None:
        self._listening.cancel()
        self._writer.transport.abort()

    async def _listen(self) -> str:
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                return (head + await self._reader.read(1000)).decode()
            await self._reader.readexactly(1)
            self._began.set()
            return await self._to_the_end()
        except (OSError, asyncio.IncompleteReadError):
            return "cut"

    async def _to_the_end(self) -> str:
        last = b""
        while data := await self._reader.read(BLOCK):
            last = (last + data)[-len(LAST_CHUNK) :]
            self.heard += len(data)
            await asyncio.sleep(self._pause)
        return "whole" if last == LAST_CHUNK else "cut"


@asynccontextmanager
async def listening(address: str, voice: str, text: str, count: int) -> AsyncIterator[list[Listener]]:
    """Of so many those who hear something soon, at least one: how many may is for admission to say."""
    there = urlsplit(address)
    # at a rate that fills the buffers between us, so that the server never is minutes ahead
    fields = {"input": text, "voice": voice, "response_format": "pcm", "sample_rate": 48_000}
    body = json.dumps(fields).encode()
    head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nContent-Length: {len(body)}\r\n"
    request = head.encode() + b"Connection: close\r\nContent-Type: application/json\r\n\r\n" + body
    listeners = []
    try:
        for _ in range(count):
            listeners.append(Listener(*await asyncio.open_connection(there.hostname, there.port), request))
        beginning = {asyncio.create_task(each.began()): each for each in listeners}
        done, waiting = await asyncio.wait(beginning, timeout=FIRST_SECONDS)
        for task in waiting:
            task.cancel()
        begun = [beginning[task] for task in done if task.result()]
        for each in listeners:
            if each not in begun:
                each.close()
        assert begun, "nobody was served"
        yield begun
    finally:
        for each in listeners:
            each.close()
