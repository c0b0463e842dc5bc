"""What the supervisor and its processes tell each other: lines of JSON over a socket pair of their own.

The pair is a process's life line as well: when the supervisor is gone, however it went, the socket ends, and
with it the process.
"""

import asyncio
import json
import socket
from contextlib import suppress
from typing import Any

MOST_LINE_BYTES = 64 << 20
"""A worker's metrics are some hundred kilobytes at most."""

Line = dict[str, Any]


class Control:
    """One end of the pair. `tell` from anywhere on the loop, `hear` from one task."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, sock: socket.socket) -> "Control":
        """Takes the socket over."""
        reader, writer = await asyncio.open_connection(sock=sock, limit=MOST_LINE_BYTES)
        return cls(reader, writer)

    def tell(self, kind: str, **fields: Any) -> None:
        """Where the other end is gone, nothing happens: who hears finds out."""
        if not self._writer.is_closing():
            self._writer.write(json.dumps({"kind": kind, **fields}).encode() + b"\n")

    async def hear(self) -> Line | None:
        """The next line; None when the other end is gone."""
        try:
            data = await self._reader.readline()
            found = json.loads(data) if data.endswith(b"\n") else None
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
