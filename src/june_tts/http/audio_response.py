"""A response that is audio while it is being made."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from june_tts.errors import JuneError

UNCOLLECTED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Of every reply that is speech: a proxy that collects it would undo the streaming."""

log = structlog.get_logger(__name__)


class AudioResponse(Response):
    """Streams a generator and stops it the moment the client hangs up.

    The first bytes are awaited before the headers go out, so that an error up to there gets its true status.
    A later one cuts the connection without the final chunk: the client sees that the audio is not whole. One
    that takes nothing for `stall_seconds` is cut off as well: it holds a place that another could use.
    """

    def __init__(
        self,
        content: AsyncGenerator[bytes, None],
        *,
        media_type: str,
        stall_seconds: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._content = content
        self._stall_seconds = stall_seconds
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers({**(headers or {}), **UNCOLLECTED})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = asyncio.create_task(self._stream(send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({stream, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # also where this task itself is cancelled: nothing may go on working for a client that left
            for task in (stream, gone):
                task.cancel()
            await asyncio.wait({stream, gone})
        if not stream.cancelled():
            stream.result()

    async def _stream(self, send: Send) -> None:
        async with aclosing(self._content) as content:
            first = await anext(content, b"")
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            try:
                await self._part(send, first)
                async for data in content:
                    await self._part(send, data)
            except (JuneError, TimeoutError) as error:
                # returning without the last message makes the server cut the connection
                code = error.code if isinstance(error, JuneError) else "client_stalled"
                log.error("audio cut short", code=code, reason=str(error))
                return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _part(self, send: Send, data: bytes) -> None:
        async with asyncio.timeout(self._stall_seconds):
            await send({"type": "http.response.body", "body": data, "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
