"""A server of one file that misbehaves in the ways that servers do."""

import hashlib
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from june_tts.models.verified import Published

CONTENT = random.Random(7).randbytes(3_000_000)
FILE = Published("model.onnx", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@dataclass
class Mirror:
    """What the server does next, and what it has been asked."""

    url: str = ""
    content: bytes = CONTENT
    etag: str | None = '"one"'
    ranges: bool = True
    statuses: list[int] = field(default_factory=list)
    """Answered first, one per request."""
    cut_after: list[int] = field(default_factory=list)
    """Bytes of body after which the connection is reset, one per request."""
    pause: float = 0.0
    """Seconds between blocks of 256 KiB."""
    stall: bool = False
    chunked: bool = False
    location: str | None = None
    asked: list[str | None] = field(default_factory=list)
    """The Range header of each request."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mirror: Mirror

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_GET(self) -> None:
        mirror = self.mirror
        mirror.asked.append(self.headers["range"])
        if mirror.location and not self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("location", mirror.location)
            self.send_header("content-length", "0")
            self.end_headers()
        elif mirror.statuses:
            self.send_response(mirror.statuses.pop(0))
            self.send_header("retry-after", "7")
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            self._send_file(mirror)

    def _send_file(self, mirror: Mirror) -> None:
        start = 0
        fresh = self.headers["if-range"] in (None, mirror.etag)
        if mirror.ranges and fresh and self.headers["range"]:
            start = int(self.headers["range"].removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        if start:
            whole = len(mirror.content)
            self.send_header("content-range", f"bytes {start}-{whole - 1}/{whole}")
        if mirror.etag:
            self.send_header("etag", mirror.etag)
        if mirror.chunked:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(len(mirror.content) - start))
        self.end_headers()
        self._send_body(mirror, mirror.content[start:])

    def _send_body(self, mirror: Mirror, body: bytes) -> None:
        cut = mirror.cut_after.pop(0) if mirror.cut_after else None
        for at in range(0, len(body), 1 << 18):
            if cut is not None and at >= cut:
                # linger 0: the client gets a reset, as from a broken line
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                self.connection.close()
                return
            block = body[at : at + (1 << 18)]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block) if mirror.chunked else block)
            time.sleep(30 if mirror.stall else mirror.pause)
        if mirror.chunked:
            self.wfile.write(b"0\r\n\r\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        return  # the client hanging up is part of the tests


@contextmanager
def mirroring() -> Iterator[Mirror]:
    """The server, until the context is left."""
    state = Mirror()
    server = Server(("127.0.0.1", 0), type("MirrorHandler", (Handler,), {"mirror": state}))
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    server.server_close()
    thread.join()
