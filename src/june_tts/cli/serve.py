"""`june-tts serve`: the server."""

import asyncio
import socket
from typing import Annotated, Any

import typer
import uvicorn
from rich.console import Console

from june_tts.bootstrap import running
from june_tts.errors import SettingsError, shown
from june_tts.http.app import create_app
from june_tts.settings import Settings, load
from june_tts.telemetry import log

_out = Console(highlight=False)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (WRAPPER_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (WRAPPER_PORT).")] = None,
) -> None:
    """Serve speech until interrupted."""
    options: dict[str, Any] = {"WRAPPER_HOST": host, "WRAPPER_PORT": port}
    overrides = {name: value for name, value in options.items() if value is not None}
    settings = load(overrides=overrides).settings
    log.configure(settings.log_level, settings.log_format)
    with _listen(settings) as listener:
        uvicorn_loop = uvicorn.Config("", loop="auto", log_config=None).get_loop_factory()
        with asyncio.Runner(loop_factory=uvicorn_loop) as runner:
            runner.run(_serve(settings, listener))


def _listen(settings: Settings) -> socket.socket:
    """Take the port first: that it is taken by another should be known before models are loaded."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except (OSError, ValueError, TypeError) as taken:  # the last two: no name that IDNA can encode
        listener.close()
        why = getattr(taken, "strerror", None) or "not an address"
        raise SettingsError(
            f"WRAPPER_HOST={shown(settings.host)} WRAPPER_PORT={settings.port}: cannot listen there "
            f"({why}); set another port, or stop what uses it"
        ) from taken
    return listener


async def _serve(settings: Settings, listener: socket.socket) -> None:
    _out.print(f"june-tts: loading {', '.join(settings.engines)} …")
    async with running(settings) as services:
        config = uvicorn.Config(
            create_app(services),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
        )
        server = _Server(config, services.admission)
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        _out.print(
            f"june-tts: the page is at http://{shown}:{port}/ and the API at /docs; Ctrl-C stops it",
            soft_wrap=True,
        )
        await server.serve([listener])


class _Server(uvicorn.Server):
    """Tells admission when it is stopping, so that `/health/ready` says so while streams finish."""

    def __init__(self, config: uvicorn.Config, admission: Any) -> None:
        super().__init__(config)
        self._admission = admission

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._admission.draining = True
        await super().shutdown(sockets)
