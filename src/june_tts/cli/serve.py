"""`june-tts serve`: the server."""

import socket
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console

from june_tts.errors import shown
from june_tts.settings import Loaded, Settings, load
from june_tts.telemetry import log
from june_tts.workers.door import listening, url
from june_tts.workers.handles import allow_handles
from june_tts.workers.memory import give_back_large_blocks
from june_tts.workers.process import on_the_fastest_loop
from june_tts.workers.supervised import serve_several

_out = Console(highlight=False)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on (WRAPPER_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (WRAPPER_PORT).")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that serve, over one with the engines (JUNE_WORKERS).")
    ] = None,
) -> None:
    """Serve speech until interrupted."""
    options: dict[str, Any] = {"WRAPPER_HOST": host, "WRAPPER_PORT": port, "JUNE_WORKERS": workers}
    overrides = {name: value for name, value in options.items() if value is not None}

    def read() -> Loaded:
        return load(overrides=overrides)

    found = read()
    settings = found.settings
    log.configure(settings.log_level, settings.log_format)
    asked = f"WRAPPER_HOST={shown(settings.host)} WRAPPER_PORT={settings.port}"
    give_back_large_blocks()
    allow_handles(settings.max_connections + settings.live_sockets)
    with listening(settings, asked) as listener:
        _out.print(f"june-tts: loading {', '.join(settings.engines)} …")
        said = f"the page is at {url(listener)}/ and the API at /docs"
        if settings.workers > 1:
            workers_said = f"{settings.workers} workers; {said}"
            serving = serve_several(found, read, listener, lambda: tell(workers_said))
            if status := on_the_fastest_loop(serving):
                raise typer.Exit(status)
        else:
            on_the_fastest_loop(_serve(settings, listener, said, lambda: read().settings))


def tell(said: str) -> None:
    """Where it is, when the port is open."""
    _out.print(f"june-tts: {said}; Ctrl-C stops it", soft_wrap=True)


async def _serve(
    settings: Settings, listener: socket.socket, said: str, read: Callable[[], Settings]
) -> None:
    # here, as the supervisor of several workers needs none of it: 60 MB
    from june_tts.bootstrap import running
    from june_tts.http.app import create_app
    from june_tts.workers.alone import serve_app

    async with running(settings) as services:
        app = create_app(services)
        await serve_app(app, services, settings, listener, read, lambda: tell(said))
