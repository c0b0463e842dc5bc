"""A stream that is being made while its room is still being joined."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from june_tts.types import AudioChunk


@asynccontextmanager
async def begun(
    chunks: AsyncGenerator[AudioChunk, None],
) -> AsyncIterator[AsyncGenerator[AudioChunk, None]]:
    """The same chunks, of which the first is made from now on; all closed on leaving."""
    first = asyncio.create_task(_next(chunks))

    async def all_of_them() -> AsyncGenerator[AudioChunk, None]:
        chunk = await first
        if chunk is not None:
            yield chunk
            async for chunk in chunks:
                yield chunk

    try:
        async with aclosing(all_of_them()) as stream:
            yield stream
    finally:
        first.cancel()
        await asyncio.wait({first})
        if not first.cancelled():
            first.exception()  # looked at: where the room failed first, nobody else does
        await chunks.aclose()


async def _next(chunks: AsyncGenerator[AudioChunk, None]) -> AudioChunk | None:
    return await anext(chunks, None)
