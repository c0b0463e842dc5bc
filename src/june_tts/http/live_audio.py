"""Encoded audio in messages that every client takes: neither too small nor too large, and none withheld."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

LEAST = 1025
"""Bytes. Releases of Pipecat take 1,024 and fewer for no audio, and drop them."""
MOST = 60_000
"""Bytes. Some clients accept 64 KiB a message, with what is around the audio."""
LINGER_SECONDS = 0.1
"""What is held back for a larger message waits no longer than this for more."""


async def messages(audio: AsyncGenerator[bytes, None], *, raw: bool) -> AsyncGenerator[bytes, None]:
    """Messages of LEAST to MOST bytes; closing it closes the audio.

    `raw`: 16-bit samples. Their last message is filled up with silence. Of other formats some bytes are held
    back, so that the last message is not a small one; where it must be, it is.
    """
    held, first = bytearray(), True
    async with aclosing(_patiently(audio, LINGER_SECONDS)) as source:
        async for data in source:
            held += data or b""
            ready = _ready(len(held), raw=raw, paused=data is None, first=first)
            first = first and not ready
            for part in _parts(bytes(held[:ready])):
                yield part
            del held[:ready]
    if held:
        for part in _parts(bytes(held).ljust(LEAST + 1, b"\0") if raw else bytes(held)):
            yield part


def _ready(held: int, *, raw: bool, paused: bool, first: bool) -> int:
    """How many bytes may leave. After a pause all: what is there may be the end of a sentence."""
    if held < LEAST:
        return 0
    if raw or paused:
        return held
    if held >= 2 * LEAST:
        return held - LEAST
    # first audio waits for nothing that comes after it
    return held if first else 0


def _parts(data: bytes) -> list[bytes]:
    """Of about the same size, none larger than MOST; samples of two bytes stay whole."""
    if not data:
        return []
    count = -(-len(data) // MOST)
    size = -(-len(data) // count)
    size += size % 2
    return [data[at : at + size] for at in range(0, len(data), size)]


async def _patiently(
    source: AsyncGenerator[bytes, None], seconds: float
) -> AsyncGenerator[bytes | None, None]:
    """What the source gives, and None once where it gives nothing for so long."""
    made: asyncio.Queue[_Made] = asyncio.Queue(1)
    # one task from the first to the last: a source may have scopes that belong to the task they began in
    pump = asyncio.create_task(_pump(source, made))
    told = True
    try:
        while True:
            try:
                async with asyncio.timeout(None if told else seconds):
                    item = await made.get()
            except TimeoutError:
                told = True
                yield None
                continue
            if isinstance(item, Exception):
                raise item
            if item is None:
                return
            told = False
            yield item
    finally:
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)


async def _pump(source: AsyncGenerator[bytes, None], made: "asyncio.Queue[_Made]") -> None:
    try:
        async with aclosing(source):
            async for data in source:
                await made.put(data)
    except Exception as error:  # noqa: BLE001  raised where the audio is read
        await made.put(error)
    await made.put(None)


_Made = bytes | Exception | None
