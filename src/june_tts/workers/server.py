"""One web server, from the first connection to the last word: uvicorn, and how it ends.

On its way out it takes no connection, lets what plays finish for `JUNE_DRAIN_SECONDS`, tells live turns that
go on after that, and cuts what is left.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
import uvicorn

from june_tts.http.connections import patient
from june_tts.http.ending import Cut
from june_tts.http.services import Services
from june_tts.settings import Settings

STOPPING = (signal.SIGINT, signal.SIGTERM)
FORCED = 1
"""Exit status where a second signal did not wait for the end."""
_LOOK_SECONDS = 0.05
_FAREWELL_SECONDS = 1.0
"""For what was told to end to do so."""

log = structlog.get_logger(__name__)


def server_config(app: Any, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves the app."""
    return uvicorn.Config(
        Cut(app),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        http=patient(settings.max_connections, settings.header_seconds),
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
        ws="websockets-sansio",
        ws_max_size=settings.live_frame_bytes,
        # audio hardly becomes smaller, and deflating it would hold up the event loop
        ws_per_message_deflate=False,
        # a pong stands behind words in the queue, which are not read while they wait to be spoken
        ws_ping_timeout=None,
    )


class Server(uvicorn.Server):
    """`serve` it; set `should_exit`, or send it a signal, to end it."""

    def __init__(
        self,
        config: uvicorn.Config,
        services: Services,
        drain_seconds: float,
        *,
        signals: bool = True,
    ) -> None:
        """`signals`: False where another process is told what to do, and tells this one."""
        super().__init__(config)
        self._admission = services.admission
        self._sockets = services.sockets
        self._ending = services.live.ending
        self.drain_seconds = drain_seconds
        self._signals = signals
        self.reload: Callable[[], None] | None = None
        """Called at SIGHUP."""
        self.ready: Callable[[], None] = lambda: None
        """Called when connections are taken."""
        self.listening = asyncio.Event()
        """Set when connections are taken."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but that one raises them again at its end: SIGTERM would be the end of the process
        before rooms were left, processes of engines ended and the store closed."""
        if not self._signals:
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in STOPPING}
        if self.reload is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)
        try:
            yield
        finally:
            for number, handler in before.items():
                # a second one ends the process also while rooms, engines and the store are being closed
                signal.signal(number, self.handle_exit if self.should_exit else handler)

    def handle_exit(self, sig: int, frame: Any) -> None:
        if self.should_exit:
            sys.stdout.flush()
            os._exit(FORCED)
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()
        self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        began = time.monotonic()
        self._admission.draining = self._sockets.draining = True
        self._take_no_more(sockets)
        end = began + self.drain_seconds
        await self._until(lambda: not self._speaking(), end)
        self._ending.end()
        await self._until(lambda: not self._ending.open, time.monotonic() + _FAREWELL_SECONDS)
        if left := len(self.server_state.tasks) - self._sockets.active:
            log.warning("cut what did not finish in time", replies=left, drain_seconds=self.drain_seconds)
        # not 0: sockets are told goodbye, and a reply's last bytes are written
        self.config.timeout_graceful_shutdown = 1 if self._speaking() is False else 0
        await super().shutdown(sockets)
        await self._gone()

    def _take_no_more(self, sockets: list[socket.socket] | None) -> None:
        """Neither new connections nor new requests on those that idle."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            if not hasattr(connection, "handshake_complete"):  # a WebSocket's would be closed at once
                connection.shutdown()

    def _speaking(self) -> bool:
        """Whether a reply is under way, or a socket speaks."""
        replies = len(self.server_state.tasks) > self._sockets.active
        return replies or bool(self._sockets.active and self._admission.active)

    async def _until(self, over: Callable[[], bool], end: float) -> None:
        while time.monotonic() < end:
            if over():
                break
            await asyncio.sleep(_LOOK_SECONDS)

    async def _gone(self) -> None:
        """Uvicorn cancels what is left, and does not wait for it; what it uses must not be closed before."""
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_FAREWELL_SECONDS)
