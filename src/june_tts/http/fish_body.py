"""Bodies of Fish's API: the same fields as JSON, as msgpack or as a multipart form."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

import msgpack
from fastapi.routing import APIRoute
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from june_tts.errors import InvalidRequest
from june_tts.http.errors import UnsupportedMediaType, sent_type

MOST_ITEMS = 65_536
"""Of one msgpack array or map: a header may claim four thousand million, and room is made for what it claims.
A row of codes has 4,096 at most."""
FORM_FIELDS = 64
TYPES = ("application/json", "application/msgpack", "multipart/form-data")
TEXT_FIELDS = ("text", "reference_id", "id", "old_reference_id", "new_reference_id")
"""Of a form: "5" is a text here and a number elsewhere."""
JSON_WORDS = ("true", "false", "null")


class FishRoute(APIRoute):
    """A route whose body may come in any of TYPES. What is declared is the JSON one."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        inner = super().get_route_handler()
        wanted = self.body_field is not None

        async def handler(request: Request) -> Response:
            return await inner(_Read(request, await read_body(request)) if wanted else request)

        return handler


class _Read(Request):
    """A request whose body has been read; to FastAPI it looks like JSON."""

    def __init__(self, request: Request, fields: dict[str, Any]) -> None:
        headers = [pair for pair in request.scope["headers"] if pair[0] != b"content-type"]
        headers.append((b"content-type", b"application/json"))
        super().__init__({**request.scope, "headers": headers}, request.receive)
        self._fields = fields

    async def body(self) -> bytes:
        return b"{}"

    async def json(self) -> Any:
        return self._fields


async def read_body(request: Request) -> dict[str, Any]:
    """The fields of a body.

    Raises:
        UnsupportedMediaType: it is none of TYPES.
        InvalidRequest: it cannot be read as what it says it is, or is no object.
    """
    kind = sent_type(request)
    if kind not in TYPES:
        raise UnsupportedMediaType(f"Content-Type is {kind[:80] or 'none'!r}: expected {' or '.join(TYPES)}")
    if kind == "multipart/form-data":
        return await _form(request)
    return unpacked(await request.body(), "the body", kind)


def unpacked(data: bytes, what: str, kind: str = "application/msgpack") -> dict[str, Any]:
    """An object out of msgpack or JSON. Raises: InvalidRequest, with `what` cannot be read."""
    read = _msgpack if kind == "application/msgpack" else json.loads
    try:
        found = read(data)
    except (ValueError, RecursionError) as bad:  # all of msgpack's and json's errors are ValueErrors
        raise InvalidRequest(f"{what} cannot be read as {kind} ({type(bad).__name__})") from bad
    if not isinstance(found, dict):
        raise InvalidRequest(f"{what} is a {type(found).__name__}: expected an object")
    return found


def _msgpack(data: bytes) -> Any:
    return msgpack.unpackb(data, max_array_len=MOST_ITEMS, max_map_len=MOST_ITEMS, strict_map_key=True)


async def _form(request: Request) -> dict[str, Any]:
    """Files as bytes, numbers and lists (`references`) as JSON would have them, text as it is."""
    fields: dict[str, Any] = {}
    async with request.form(max_files=FORM_FIELDS, max_fields=FORM_FIELDS) as form:
        for name, value in form.multi_items():
            if name in fields:
                raise InvalidRequest(f"{ascii(name[:60])[1:-1]} was sent twice: expected once")
            if isinstance(value, UploadFile):
                fields[name] = await value.read()
            else:
                fields[name] = value if name in TEXT_FIELDS else _value(value)
    return fields


def _value(text: str) -> Any:
    """What JSON says it is; the text itself where JSON says nothing."""
    text = text.strip()
    try:
        return json.loads(text.lower() if text.lower() in JSON_WORDS else text)
    except (ValueError, RecursionError):
        return text
