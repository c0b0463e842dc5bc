"""A stream that is made before anybody takes it: while its room is joined, or the words before it play."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from contextvars import Context
from types import TracebackType

from june_tts.types import AudioChunk

Chunks = AsyncGenerator[AudioChunk, None]


class Begun:
    """Takes the first chunk of a stream at once; leaving closes the stream, whether it was read or not."""

    def __init__(self, chunks: Chunks, context: Context | None = None) -> None:
        """`context`: what the first chunk is made in; this one's where none is given."""
        self._source = chunks
        self._first = asyncio.get_running_loop().create_task(_next(chunks), context=context)

    async def chunks(self) -> Chunks:
        """The same chunks; to be read once."""
        chunk = await self._first
        if chunk is not None:
            yield chunk
            async for chunk in self._source:
                yield chunk

    async def close(self) -> None:
        """Stop the stream; nothing happens the second time."""
        self._first.cancel()
        await asyncio.wait({self._first})
        if not self._first.cancelled():
            self._first.exception()  # looked at: where the room failed first, nobody else does
        await self._source.aclose()

    async def __aenter__(self) -> "Begun":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def followed(chunks: Chunks, by: Callable[[], None]) -> Chunks:
    """The same chunks, and a call when the last one has been taken."""
    async with aclosing(chunks):
        async for chunk in chunks:
            yield chunk
    by()


async def _next(chunks: Chunks) -> AudioChunk | None:
    return await anext(chunks, None)
