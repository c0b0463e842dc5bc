"""SIGHUP: the settings are read again, and a server that works takes what it can of them."""

from collections.abc import Callable
from typing import Any

import structlog

from june_tts.bootstrap.reloading import SERVED, limited
from june_tts.errors import SettingsError
from june_tts.http.services import Services
from june_tts.settings import Settings
from june_tts.telemetry import log as logging
from june_tts.workers.server import Server

KEPT = "settings not reloaded: everything stays as it was"

log = structlog.get_logger(__name__)


class Reloading:
    """Of one web process. `tells` is False where another one of several says what needs a restart."""

    def __init__(self, app: Any, services: Services, server: Server, *, tells: bool = True) -> None:
        self._reloads = services.reloads
        self._tells = tells
        if services.reloads is None:
            return

        def served(new: Settings) -> None:
            # a value for requests from now on; those under way have the one that they began with
            app.state.services = limited(app.state.services, new)

        def drain(new: Settings) -> None:
            server.drain_seconds = new.drain_seconds

        services.reloads.add(SERVED, served)
        services.reloads.add(("drain_seconds",), drain)
        services.reloads.add(
            ("log_level", "log_format"), lambda new: logging.configure(new.log_level, new.log_format)
        )

    def again(self, read: Callable[[], Settings]) -> None:
        """Read the settings, and take them."""
        try:
            self.take(read())
        except SettingsError as bad:
            log.error(KEPT, reason=str(bad))

    def take(self, settings: Settings) -> None:
        """Raises: SettingsError, where a part cannot use them."""
        if self._reloads is None:
            return
        restart = self._reloads.reload(settings)
        if not self._tells:
            return
        log.info("settings reloaded")
        if restart:
            log.warning("settings that have changed and take a restart", settings=", ".join(restart))
