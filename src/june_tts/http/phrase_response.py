"""A response that is audio made before: no task, no generator, one write."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from june_tts.http.audio_response import UNCOLLECTED
from june_tts.service.phrase_key import Order
from june_tts.types import Phrase

ONE_WRITE_BYTES = 1 << 18
"""A body of this size is handed over whole: more than what waits for a client of a stream that is being made,
but gone at once from any client that reads."""
PART_BYTES = 1 << 16
EVENT_BYTES = 24_576
"""Of audio in an event: a multiple of 3, as base64 in events of one part has no padding within."""
HIT = {"X-June-Cache": "hit"}

Wrap = Callable[[AsyncGenerator[bytes, None]], AsyncGenerator[bytes, None]]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a phrase is answered; the same for every request with the same body."""

    order: Order
    engine: str
    """That spoke it: where it is another one now, the request is looked at anew."""
    media_type: str
    headers: Mapping[str, str]
    wrap: Wrap | None = None

    async def response(self, phrase: Phrase, stall_seconds: float) -> "PhraseResponse":
        """`stall_seconds`: how long a client may take nothing of a long one."""
        body = phrase.body if self.wrap is None else await _whole(self.wrap(_parts(phrase.body)))
        return PhraseResponse(body, self, stall_seconds)


class PhraseResponse(Response):
    """The same headers as the stream that it was, and one that tells where it came from."""

    def __init__(self, body: bytes, recipe: Recipe, stall_seconds: float) -> None:
        self._stall_seconds = stall_seconds
        self._recipe = recipe
        self.status_code = 200
        self.media_type = recipe.media_type
        self.background = None
        # before there is a body, so that it gets no length: it goes out in chunks, as the stream did
        self.init_headers({**recipe.headers, **UNCOLLECTED, **HIT})
        self.body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # left for `Shortcut`, which sees this request again when it is over
        scope["state"]["recipe"] = self._recipe
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if len(self.body) <= ONE_WRITE_BYTES:
            await send({"type": "http.response.body", "body": self.body})
            return
        try:
            for at in range(0, len(self.body), PART_BYTES):
                part = self.body[at : at + PART_BYTES]
                async with asyncio.timeout(self._stall_seconds):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        except TimeoutError:
            # returning without the last message makes the server cut the connection
            log.error("audio cut short", code="client_stalled")
            return
        await send({"type": "http.response.body", "body": b""})


async def _parts(body: bytes) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(body), EVENT_BYTES):
        yield body[at : at + EVENT_BYTES]


async def _whole(parts: AsyncGenerator[bytes, None]) -> bytes:
    async with aclosing(parts):
        return b"".join([part async for part in parts])
