"""`june-tts serve`: the server."""

import asyncio
import signal
import socket
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
import uvicorn
from rich.console import Console

from june_tts.bootstrap import running
from june_tts.errors import SettingsError, shown
from june_tts.http.app import create_app
from june_tts.http.services import Services
from june_tts.settings import Settings, load
from june_tts.telemetry import log

STOPPING = (signal.SIGINT, signal.SIGTERM)

_out = Console(highlight=False)
_LOOK_SECONDS = 0.05


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (WRAPPER_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (WRAPPER_PORT).")] = None,
) -> None:
    """Serve speech until interrupted."""
    options: dict[str, Any] = {"WRAPPER_HOST": host, "WRAPPER_PORT": port}
    overrides = {name: value for name, value in options.items() if value is not None}
    settings = load(overrides=overrides).settings
    log.configure(settings.log_level, settings.log_format)
    with listening(settings, f"WRAPPER_HOST={shown(settings.host)} WRAPPER_PORT={settings.port}") as listener:
        run(_serve(settings, listener))


def run(serving: Coroutine[Any, Any, None]) -> None:
    """Run a server on the fastest event loop there is."""
    uvicorn_loop = uvicorn.Config("", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=uvicorn_loop) as runner:
        runner.run(serving)


def listening(settings: Settings, asked: str) -> socket.socket:
    """Take the port first: that it is taken by another should be known before models are loaded.

    Args:
        asked: the address as the user wrote it, for the error.

    Raises:
        SettingsError: nobody can listen there.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except (OSError, ValueError, TypeError) as taken:  # the last two: no name that IDNA can encode
        listener.close()
        why = getattr(taken, "strerror", None) or "not an address"
        raise SettingsError(
            f"{asked}: cannot listen there ({why}); set another port, or stop what uses it"
        ) from taken
    return listener


async def _serve(settings: Settings, listener: socket.socket) -> None:
    _out.print(f"june-tts: loading {', '.join(settings.engines)} …")
    async with running(settings) as services:
        said = f"the page is at {url(listener)}/ and the API at /docs"
        await serve_app(create_app(services), services, settings, listener, said)


async def serve_app(
    app: Any, services: Services, settings: Settings, listener: socket.socket, said: str
) -> None:
    """Serve until interrupted. `said` tells the user where."""
    _out.print(f"june-tts: {said}; Ctrl-C stops it", soft_wrap=True)
    server = _Server(server_config(app, settings), services, settings.drain_seconds)
    await server.serve([listener])


def server_config(app: Any, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves the app."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
        ws="websockets-sansio",
        ws_max_size=settings.live_frame_bytes,
        # audio hardly becomes smaller, and deflating it would hold up the event loop
        ws_per_message_deflate=False,
        # a pong stands behind words in the queue, which are not read while they wait to be spoken
        ws_ping_timeout=None,
    )


def url(listener: socket.socket) -> str:
    """http://host:port"""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Tells admission when it is stopping, so that `/health/ready` says so while streams finish."""

    def __init__(self, config: uvicorn.Config, services: Services, drain_seconds: float) -> None:
        super().__init__(config)
        self._admission = services.admission
        self._live = services.sockets
        self._drain_seconds = drain_seconds

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but that one raises them again at its end: SIGTERM would be the end of the process
        before rooms were left, processes of engines ended and the store closed."""
        before = {number: signal.signal(number, self.handle_exit) for number in STOPPING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._admission.draining = self._live.draining = True
        await self._last_words()
        await super().shutdown(sockets)

    async def _last_words(self) -> None:
        """Uvicorn lets replies end, and cuts every WebSocket at once, also one that is speaking."""
        end = time.monotonic() + self._drain_seconds
        while time.monotonic() < end:
            if not (self._live.active and self._admission.active):
                break
            await asyncio.sleep(_LOOK_SECONDS)
        left = end - time.monotonic()
        self.config.timeout_graceful_shutdown = max(1, round(left))
