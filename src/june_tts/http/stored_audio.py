"""A file that is kept, sent whole or in part."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from june_tts.errors import JuneError

log = structlog.get_logger(__name__)


class StoredAudio(StreamingResponse):
    """Stops when the client hangs up, and when it takes nothing for so long. An error cuts it off: the client
    sees that bytes are missing, and may ask for the rest."""

    def __init__(
        self,
        content: AsyncGenerator[bytes, None],
        *,
        status: int,
        media_type: str,
        headers: Mapping[str, str],
        stall_seconds: float,
    ) -> None:
        super().__init__(content, status, headers, media_type)
        self._content = content
        self._stall_seconds = stall_seconds

    async def stream_response(self, send: Send) -> None:
        async def in_time(message: Message) -> None:
            async with asyncio.timeout(self._stall_seconds):
                await send(message)

        try:
            async with aclosing(self._content):
                await super().stream_response(in_time)
        except (JuneError, TimeoutError) as error:
            code = error.code if isinstance(error, JuneError) else "client_stalled"
            log.error("download cut short", code=code, reason=str(error))
