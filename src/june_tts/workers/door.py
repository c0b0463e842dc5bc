"""The port: taken first, and opened when there is somebody behind it."""

import socket

from june_tts.errors import SettingsError
from june_tts.settings import Settings


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


def url(listener: socket.socket) -> str:
    """http://host:port"""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
