"""What every request passes: an id, and a body that is complete before any work begins."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from june_tts.errors import BodyTooLarge, BodyTooSlow, JuneError
from june_tts.http.errors import error_response

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
UPLOADS = (
    *("/api/voices/clone", "/v1/audio/voices"),
    *("/v1/tts", "/v1/vqgan/encode", "/v1/vqgan/decode", "/v1/references/add", "/model"),
    "/v1/jobs",
)
"""Paths whose bodies may have recordings in them, or a book."""
BELOW = "/model/"
"""Paths below may have pictures in them."""
CALLS = ("http", "websocket")
REPLIES = ("http.response.start", "websocket.accept", "websocket.http.response.start")
"""What has the headers of a reply; the last one refuses a handshake."""
FORM_BYTES = 65_536
"""Room for the fields that come beside an uploaded file."""


class RequestIds:
    """Takes the caller's `x-request-id` or makes one; it is in the reply and in every log line."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in CALLS:
            await self._app(scope, receive, send)
            return
        offered = Headers(scope=scope).get("x-request-id", "")
        request_id = offered if _REQUEST_ID.fullmatch(offered) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] in REPLIES:
                MutableHeaders(scope=message)["x-request-id"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app(scope, receive, send_with_id)


@dataclass(frozen=True, slots=True)
class BodyLimits:
    max_body_bytes: int
    max_upload_bytes: int
    timeout_seconds: float


class Bodies:
    """Reads the whole body first, within a size and a time, so that a route only sees complete ones."""

    def __init__(self, app: ASGIApp, *, limits: Callable[[], BodyLimits]) -> None:
        """`limits`: as they are when a request comes."""
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(scope, receive)
        except JuneError as refusal:
            response = error_response(scope["path"], refusal)
            # what is left of the body is not read, so the connection cannot be used again
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _replay(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        limits = self._limits()
        upload = scope["path"].rstrip("/") in UPLOADS or scope["path"].startswith(BELOW)
        most = limits.max_upload_bytes + FORM_BYTES if upload else limits.max_body_bytes
        stated = Headers(scope=scope).get("content-length", "")
        # ASCII alone: "²" is a digit to Python and no number, and 5,000 digits are too many for int()
        if re.fullmatch(r"[0-9]{1,19}", stated) and int(stated) > most:
            raise BodyTooLarge(f"the body has {stated} bytes: at most {most} are accepted")
        try:
            async with asyncio.timeout(limits.timeout_seconds):
                return await _collect(receive, most)
        except TimeoutError:
            raise BodyTooSlow(f"the body was not complete after {limits.timeout_seconds:g} s") from None


async def _collect(receive: Receive, most: int) -> bytes | None:
    """The whole body; None where the client went away before its end."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise BodyTooLarge(f"the body has more than {most} bytes, which is the limit")
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
