"""A WebSocket with limits: who is idle is noticed, who takes nothing is cut off, who is gone is known."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from june_tts.http.live_limits import LiveLimits

AWAY, WRONG_KIND, TOO_MUCH, FAILED, AGAIN = 1001, 1003, 1008, 1011, 1013
"""Close codes: idle; text where bytes are expected, or bytes for text; a limit; our fault; try again."""
_CLOSE_SECONDS = 5.0
_REASON_BYTES = 120

log = structlog.get_logger(__name__)


class Idle(Exception):
    """Nothing was sent or spoken for as long as a socket may be idle."""


class LiveSocket:
    """One reader, any number of senders."""

    def __init__(self, socket: WebSocket, limits: LiveLimits, heard: Callable[[], None]) -> None:
        """`socket`: accepted; `heard` is called when a message has come."""
        self._socket = socket
        self._heard = heard
        self._limits = limits
        self._receiving: asyncio.Task[str | bytes] | None = None
        self._gone = asyncio.Event()
        self._leaving: asyncio.Task[None] | None = None
        self._active = time.monotonic()

    async def receive(self) -> str | bytes:
        """The next message.

        Raises:
            WebSocketDisconnect: the client is gone, or reads nothing any more.
            Idle: nothing was sent or spoken for too long.
        """
        receiving = self._receiving = self._receiving or asyncio.create_task(self._message())
        gone = asyncio.create_task(self._gone.wait())
        try:
            while not (receiving.done() or gone.done()):
                await self._wait(receiving, gone)
        finally:
            gone.cancel()
        if not receiving.done():
            raise WebSocketDisconnect(1006)
        self._receiving = None
        self._active = time.monotonic()
        self._heard()
        return receiving.result()

    async def send(self, message: str | bytes) -> None:
        """Raises: WebSocketDisconnect, where the client is gone or takes nothing."""
        sending = (
            self._socket.send_text(message) if isinstance(message, str) else self._socket.send_bytes(message)
        )
        await self._within(sending, self._limits.stall_seconds)
        self._active = time.monotonic()

    async def close(self, code: int, reason: str = "") -> None:
        """Say goodbye; a client that is gone already is no error."""
        if self._gone.is_set():
            return
        try:
            cut = reason.encode()[:_REASON_BYTES].decode(errors="ignore")
            await self._within(self._socket.close(code, cut), _CLOSE_SECONDS)
        except WebSocketDisconnect:
            return
        self._gone.set()

    def make_room(self) -> None:
        """Its place is another one's from now on: say goodbye."""
        self._leaving = asyncio.create_task(self.close(AGAIN, "nothing was said here, and others wait"))

    async def aclose(self) -> None:
        """Wait for no message any more. It does not say goodbye."""
        self._gone.set()
        if self._leaving is not None:
            await self._leaving
        if self._receiving is not None:
            self._receiving.cancel()
            await asyncio.gather(self._receiving, return_exceptions=True)

    async def _wait(self, receiving: asyncio.Task[str | bytes], gone: asyncio.Task[bool]) -> None:
        left = self._active + self._limits.idle_seconds - time.monotonic()
        if left <= 0:
            raise Idle(f"nothing was sent or spoken for {self._limits.idle_seconds:g} s")
        await asyncio.wait({receiving, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)

    async def _message(self) -> str | bytes:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            self._gone.set()
            raise WebSocketDisconnect(message.get("code") or 1006)
        data = message.get("bytes")
        found: str | bytes = message.get("text", "") if data is None else data
        return found

    async def _within(self, sending: Awaitable[None], seconds: float) -> None:
        if self._gone.is_set():
            raise WebSocketDisconnect(1006)
        try:
            async with asyncio.timeout(seconds):
                await sending
        except (WebSocketDisconnect, RuntimeError):
            # the latter is Starlette's word for a socket that was closed in the meantime
            self._gone.set()
            raise WebSocketDisconnect(1006) from None
        except TimeoutError:
            log.error("audio cut short", code="client_stalled", reason="the client takes nothing")
            self._gone.set()
            raise WebSocketDisconnect(1006) from None
