"""The whole server in one process."""

import socket
from collections.abc import Callable
from typing import Any

from june_tts.http.services import Services
from june_tts.http.warmup import warm_up
from june_tts.settings import Settings
from june_tts.workers.reloading import Reloading
from june_tts.workers.server import Server, server_config


async def serve_app(
    app: Any,
    services: Services,
    settings: Settings,
    listener: socket.socket,
    read: Callable[[], Settings],
    ready: Callable[[], None],
) -> None:
    """Serve until interrupted; at SIGHUP, settings are `read` again. That may raise SettingsError.

    Args:
        ready: called when the port is open.
    """
    server = Server(server_config(app, settings), services, settings.drain_seconds)
    server.ready = ready
    reloading = Reloading(app, services, server)
    await warm_up(app, services.engines)
    server.reload = lambda: reloading.again(read)
    await server.serve([listener])
