"""Connections that say nothing, or one byte a second: they are given up in time, and never crowd out others.

Uvicorn limits how long a connection may rest between two requests, and nothing before the first: one that
sends half of its headers stays for ever.
"""

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 33\r\nconnection: close\r\n\r\nThe headers were not sent in time"
)
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\nretry-after: 1\r\n"
    b"content-length: 29\r\nconnection: close\r\n\r\nToo many connections are open"
)

UNSENT_BYTES = 65_536
"""What the kernel may hold of a reply beyond what is on its way: a second or two of speech. Left to itself it
takes megabytes, minutes of speech that are made for a client who may never take them."""


@dataclass
class Connections:
    """Those of one server, WebSockets included."""

    most: int
    header_seconds: float
    open: int = 0
    silent: dict["PatientProtocol", None] = field(default_factory=dict)
    """Whose headers are not complete, the oldest first."""

    def opened(self, one: "PatientProtocol") -> bool:
        """Whether it may stay. Where there are too many, the oldest one that says nothing has to go."""
        self.open += 1
        if self.open <= self.most:
            return True
        oldest = next(iter(self.silent), None)
        if oldest is not None:
            oldest.give_up(FULL)
        return oldest is not None

    def closed(self, one: "PatientProtocol") -> None:
        self.open -= 1
        self.silent.pop(one, None)


class PatientProtocol(HttpToolsProtocol):
    """Uvicorn's, with a time for headers and a bound on connections. `among` is set by `patient`."""

    among: Connections

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._deadline: asyncio.TimerHandle | None = None
        self._counted = False
        self._upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        _keep_unsent_low(transport)
        self._counted = True
        if self.among.opened(self):
            self._wait()
        else:
            self.give_up(FULL)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # an empty line between two requests belongs to neither, and stops uvicorn's clock of resting ones
        if self._resting() and self._deadline is None and not self.transport.is_closing():
            self._wait()

    def on_headers_complete(self) -> None:
        self._heard()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        super().handle_websocket_upgrade()
        self._upgraded = True
        # another protocol has the connection now, and its end is not told to this one
        self._leave()

    def give_up(self, reply: bytes) -> None:
        self._heard()
        if not self.transport.is_closing():
            self.transport.write(reply)
            self.transport.close()

    def _resting(self) -> bool:
        return not self._upgraded and (self.cycle is None or self.cycle.response_complete)

    def _wait(self) -> None:
        self.among.silent[self] = None
        self._deadline = self.loop.call_later(self.among.header_seconds, self.give_up, TOO_SLOW)

    def _heard(self) -> None:
        self.among.silent.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _leave(self) -> None:
        self._heard()
        if self._counted:
            self._counted = False
            self.among.closed(self)


def _keep_unsent_low(transport: asyncio.Transport) -> None:
    ours = transport.get_extra_info("socket")
    # not on every system, and not for Unix sockets
    if ours is not None and ours.family != socket.AF_UNIX and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


def patient(most: int, header_seconds: float) -> type[PatientProtocol]:
    """A protocol for one server: `uvicorn.Config(http=patient(…))`.

    Args:
        most: connections at once, without WebSockets, which have a limit of their own.
        header_seconds: from the connection, or a further request's first byte, to the end of its headers.
    """
    return type("Patient", (PatientProtocol,), {"among": Connections(most, header_seconds)})
