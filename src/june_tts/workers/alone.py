"""The whole server in one process."""

import socket
from collections.abc import Callable
from typing import Any

from june_tts.http.services import Services
from june_tts.settings import Settings
from june_tts.workers.server import Server, server_config


async def serve_app(
    app: Any,
    services: Services,
    settings: Settings,
    listener: socket.socket,
    reload: Callable[[], None] | None = None,
) -> None:
    """Serve until interrupted; `reload` is called at SIGHUP."""
    server = Server(server_config(app, settings), services, settings.drain_seconds, reload=reload)
    await server.serve([listener])
