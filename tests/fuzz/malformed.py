"""Requests that no well-behaved client sends, without end, over every endpoint that a server has. Seeded.

Endpoints and fields come from the server's own OpenAPI document, so that a new route is there by itself; the
sockets, which no document has, are named here.
"""

import json
import random
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import msgpack

SOCKETS = (
    "/v1/tts/live",
    "/v1/text-to-speech/{voice_id}/stream-input",
    "/v1/text-to-speech/{voice_id}/multi-stream-input",
)
SOCKET_SHARE = 0.1
METHODS = ("HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "BREW", "DELETE", "GET", "POST")
TYPES = (
    *("application/json", "application/msgpack", "text/plain", "multipart/form-data; boundary=x", ""),
    *(
        "application/x-www-form-urlencoded",
        "application/json; charset=klingon",
        "multipart/form-data",
        "a/b/c",
    ),
)
HEADERS = (
    *(
        "accept",
        "range",
        "x-request-id",
        "traceparent",
        "x-priority",
        "x-request-deadline-ms",
        "authorization",
    ),
    *("content-encoding", "origin", "cookie", "x-forwarded-for", "xi-api-key", "if-range", "model"),
)
FIELDS = (
    *(
        "text",
        "input",
        "voice",
        "voice_id",
        "model",
        "format",
        "seed",
        "references",
        "items",
        "messages",
        "name",
    ),
    *(
        "speed",
        "sample_rate",
        "audio_format",
        "normalize",
        "scopes",
        "file",
        "title",
        "body",
        "__proto__",
        "",
    ),
)
LONGEST_TEXT = 3000


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    route: str
    """As the document has it, for counting."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Talk:
    """What is sent on a WebSocket, and then it is closed or dropped."""

    path: str
    route: str
    frames: tuple[str | bytes, ...]
    dropped: bool


class Malformed:
    """Draws requests from a document and a seed."""

    def __init__(self, document: Mapping[str, Any], seed: int) -> None:
        self._draw = random.Random(seed)
        self._routes = [
            (method.upper(), path, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
        ]
        self._schemas = document.get("components", {}).get("schemas", {})

    def requests(self, count: int) -> Iterator[Request | Talk]:
        for _ in range(count):
            yield self._talk() if self._draw.random() < SOCKET_SHARE else self._request()

    def _request(self) -> Request:
        method, route, operation = self._draw.choice(self._routes)
        if self._chance(0.1):
            method = self._draw.choice(METHODS)
        path = self._path(route) + self._query()
        kind, body = self._body(operation) if method in ("POST", "PUT", "PATCH") else ("", b"")
        headers = self._headers() | ({"content-type": kind} if kind else {})
        return Request(method, path, route, headers, body)

    def _talk(self) -> Talk:
        route = self._draw.choice(SOCKETS)
        frames = tuple(self._frame() for _ in range(self._draw.randint(0, 6)))
        return Talk(self._path(route) + self._query(), route, frames, self._chance(0.3))

    def _path(self, route: str) -> str:
        parts = [
            quote(self._id(), safe="") or "x" if part.startswith("{") else part for part in route.split("/")
        ]
        return "/".join(parts)

    def _id(self) -> str:
        known = (
            "fake",
            "default",
            "alloy",
            "kept",
            "..",
            "../../etc/passwd",
            "a" * 3000,
            "%00",
            "\0",
            "' OR 1",
        )
        return self._draw.choice(known) if self._chance(0.7) else self._text()

    def _query(self) -> str:
        if self._chance(0.7):
            return ""
        pairs = [f"{quote(self._draw.choice(FIELDS))}={quote(self._text())}" for _ in range(2)]
        return "?" + "&".join(pairs)

    def _headers(self) -> dict[str, str]:
        names = self._draw.sample(HEADERS, self._draw.choice((0, 0, 1, 2)))
        # what no HTTP client can send is another test's: a line's end in a value, for one
        return {
            name: self._text().encode("ascii", "replace").decode()[:200].translate(_PLAIN) for name in names
        }

    def _body(self, operation: Mapping[str, Any]) -> tuple[str, bytes]:
        content = operation.get("requestBody", {}).get("content", {})
        kind = self._draw.choice(list(content)) if content and self._chance(0.8) else self._draw.choice(TYPES)
        if self._chance(0.15):
            return kind, self._draw.randbytes(self._draw.randint(0, 400))
        value = self._object(content.get(kind, {}).get("schema", {}))
        return kind, self._damaged(self._encoded(kind, value))

    def _encoded(self, kind: str, value: dict[str, Any]) -> bytes:
        if kind.startswith("multipart/"):
            return b"".join(_part(name, item) for name, item in value.items()) + b"--x--\r\n"
        if kind.endswith("msgpack"):
            return bytes(msgpack.packb(_packable(value)))
        return json.dumps(value).encode()

    def _damaged(self, whole: bytes) -> bytes:
        if not whole or self._chance(0.6):
            return whole
        at = self._draw.randrange(len(whole))
        return (
            whole[:at]
            + self._draw.randbytes(self._draw.randint(0, 3))
            + whole[at + self._draw.randint(0, 9) :]
        )

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        fields = list(self._resolved(schema).get("properties", {})) or list(FIELDS)
        chosen = self._draw.sample(fields, self._draw.randint(0, min(6, len(fields))))
        made = {"text": "Five.", "input": "Five.", "model": "june"} if self._chance(0.5) else {}
        return made | {name: self._value(2) for name in chosen}

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" in schema:
            found: Mapping[str, Any] = self._schemas.get(schema["$ref"].rsplit("/", 1)[1], {})
            return found
        return schema

    def _frame(self) -> str | bytes:
        event = {
            "event": self._draw.choice(("start", "text", "flush", "stop", "", "x")),
            "text": self._text(),
        }
        value = event | self._object({}) if self._chance(0.7) else self._value(3)
        kind = self._draw.randrange(4)
        if kind == 0:
            return self._draw.randbytes(self._draw.randint(0, 300))
        return json.dumps(value) if kind == 1 else self._damaged(bytes(msgpack.packb(_packable(value))))

    def _value(self, depth: int) -> Any:
        plain: tuple[Any, ...] = (
            None,
            True,
            False,
            0,
            -1,
            2**63,
            1e308,
            "",
            "1",
            "fake",
            "../x",
            [],
            {},
            self._text(),
        )
        if depth and self._chance(0.2):
            return [self._value(depth - 1) for _ in range(self._draw.randint(0, 3))]
        if depth and self._chance(0.2):
            return {self._draw.choice(FIELDS): self._value(depth - 1) for _ in range(2)}
        return self._draw.choice(plain)

    def _text(self) -> str:
        kind = self._draw.randrange(5)
        if kind == 0:
            return "".join(chr(self._draw.choice((0, 9, 0x202E, 0xD7FF, 0xFFFF, 0x1F389))) for _ in range(5))
        if kind == 1:
            return self._draw.choice(string.printable) * self._draw.choice((1, 50, LONGEST_TEXT))
        return "".join(self._draw.choices(string.printable, k=self._draw.randint(0, 30)))

    def _chance(self, share: float) -> bool:
        return self._draw.random() < share


_PLAIN = {code: "?" for code in (*range(32), 127)}


def _part(name: str, value: Any) -> bytes:
    more = b'; filename="a.wav"' if name in ("file", "audio", "audio_sample", "voices") else b""
    head = b'--x\r\nContent-Disposition: form-data; name="' + name.encode() + b'"' + more
    return head + b"\r\n\r\n" + str(value).encode("utf-8", "replace") + b"\r\n"


def _packable(value: Any) -> Any:
    """MessagePack knows no whole number over 64 bits."""
    if isinstance(value, dict):
        return {name: _packable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_packable(item) for item in value]
    return min(value, 2**64 - 1) if isinstance(value, int) and not isinstance(value, bool) else value
