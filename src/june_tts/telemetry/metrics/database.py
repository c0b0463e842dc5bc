"""The voice library's database."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge


class DatabaseMetrics:
    def __init__(self, r: CollectorRegistry) -> None:
        self._up = Gauge("tts_database_up", "1 while the database answers", registry=r)
        self._connections = Gauge(
            "tts_database_connections", "Connections to the database", ["state"], registry=r
        )

    def watch(self, up: Callable[[], float]) -> None:
        """Read whether it answers at every scrape."""
        self._up.set_function(up)

    def watch_pool(self, used: Callable[[], float], idle: Callable[[], float]) -> None:
        """Read its connections at every scrape."""
        self._connections.labels("used").set_function(used)
        self._connections.labels("idle").set_function(idle)
