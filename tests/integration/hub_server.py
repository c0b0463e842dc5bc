"""A model hub on a real socket, with its file store on another port, which misbehave in the ways they do."""

import hashlib
import json
import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REPOSITORY = "fishaudio/openaudio-s1-mini"
TOKEN = "hf_hunter2hunter2"
FIRST, SECOND = "a" * 40, "b" * 40


def contents(seed: int) -> dict[str, bytes]:
    """The five files of a commit; two of them large enough to be kept outside of git."""
    draw = random.Random(seed)
    sizes = {
        "config.json": 800,
        "tokenizer.tiktoken": 20_000,
        "special_tokens.json": 30_000,
        "codec.pth": 1_000_000,
        "model.pth": 2_000_000,
    }
    return {name: draw.randbytes(size) for name, size in sizes.items()}


def blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@dataclass
class PlayedHub:
    """What hub and store do next, and what each has been asked."""

    commits: dict[str, dict[str, bytes]] = field(
        default_factory=lambda: {FIRST: contents(1), SECOND: contents(2)}
    )
    main: str = FIRST
    token: str | None = TOKEN
    """Who sends another is refused; None lets everybody in."""
    refusal: tuple[int, str] = (401, "GatedRepo")
    """Status and X-Error-Code for them."""
    url: str = ""
    store_url: str = ""
    hub_statuses: list[int] = field(default_factory=list)
    store_statuses: list[int] = field(default_factory=list)
    """Answered first, one per request."""
    cut_after: list[int] = field(default_factory=list)
    """Bytes of body after which the store resets the connection, one per request."""
    spoil: set[str] = field(default_factory=set)
    """Files that arrive with other bytes than were promised."""
    hub_asked: list[str] = field(default_factory=list)
    """Paths."""
    store_asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    """Name of the file, Range, If-Range."""
    tokens_at_hub: set[str | None] = field(default_factory=set)
    headers_at_store: set[str] = field(default_factory=set)

    def tree(self, commit: str) -> list[dict[str, Any]]:
        return [{"type": "directory", "path": "assets", "oid": "d" * 40, "size": 0}] + [
            self._entry(name, content) for name, content in self.commits[commit].items()
        ]

    def content(self, commit: str, name: str) -> bytes:
        content = self.commits[commit][name]
        return bytes(len(content)) if name in self.spoil else content

    def _entry(self, name: str, content: bytes) -> dict[str, Any]:
        entry: dict[str, Any] = {"type": "file", "path": name, "oid": blob(content), "size": len(content)}
        if name.endswith(".pth"):
            sha256 = hashlib.sha256(content).hexdigest()
            entry |= {"oid": "c" * 40, "xetHash": "e" * 64}
            entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 135}
        return entry


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: PlayedHub

    def log_message(self, format: str, *args: object) -> None:
        return

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _HubHandler(_Handler):
    def do_GET(self) -> None:
        hub = self.hub
        hub.hub_asked.append(self.path)
        authorization = self.headers["authorization"]
        hub.tokens_at_hub.add(authorization)
        if hub.hub_statuses:
            return self.answer(hub.hub_statuses.pop(0), retry_after="7")
        parts = self.path.split("/")
        if parts[1] == "api" and parts[5] == "revision":
            return self._revision(parts[6])
        if parts[1] == "api":
            return self.answer(200, json.dumps(hub.tree(parts[6])).encode())
        if hub.token and authorization != f"Bearer {hub.token}":
            status, code = hub.refusal
            return self.answer(status, b"Access to it is restricted.", x_error_code=code)
        if parts[1] == "cached":
            return self.answer(200, hub.content(parts[2], parts[3]))
        self._resolve(parts[4], parts[5])

    def _revision(self, name: str) -> None:
        commit = self.hub.main if name == "main" else name
        if commit not in self.hub.commits:
            return self.answer(404, x_error_code="RevisionNotFound")
        self.answer(200, json.dumps({"id": REPOSITORY, "sha": commit, "gated": "auto"}).encode())

    def _resolve(self, commit: str, name: str) -> None:
        if name.endswith(".pth"):
            there = f"{self.hub.store_url}/{commit}/{name}?X-Signature=hush"
            return self.answer(302, location=there, x_repo_commit=commit)
        # small files stay on the hub, at an address that is relative and asks for the token again
        self.answer(307, location=f"/cached/{commit}/{name}", x_repo_commit=commit)


class _StoreHandler(_Handler):
    def do_GET(self) -> None:
        hub = self.hub
        _, commit, name = self.path.partition("?")[0].split("/")
        hub.headers_at_store |= {key.lower() for key in self.headers}
        hub.store_asked.append((name, self.headers["range"], self.headers["if-range"]))
        if hub.store_statuses:
            return self.answer(hub.store_statuses.pop(0), retry_after="7")
        content, etag = hub.content(commit, name), f'"{commit[:8]}"'
        start = 0
        if self.headers["range"] and self.headers["if-range"] in (None, etag):
            start = int(self.headers["range"].removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("etag", etag)
        if start:
            self.send_header("content-range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("content-length", str(len(content) - start))
        self.end_headers()
        self._send(content[start:])

    def _send(self, body: bytes) -> None:
        cut = self.hub.cut_after.pop(0) if self.hub.cut_after else len(body)
        self.wfile.write(body[:cut])
        if cut < len(body):
            # linger 0: the client gets a reset, as from a broken line
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        return  # connections that are cut are part of the tests


@contextmanager
def played_hub() -> Iterator[PlayedHub]:
    hub = PlayedHub()
    with _serving(_HubHandler, hub) as hub.url, _serving(_StoreHandler, hub) as hub.store_url:
        yield hub


@contextmanager
def _serving(handler: type[_Handler], hub: PlayedHub) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), type("Handler", (handler,), {"hub": hub}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
