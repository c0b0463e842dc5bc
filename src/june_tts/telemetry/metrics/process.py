"""The server's own process."""

import platform

from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector

LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


class ProcessMetrics:
    def __init__(self, r: CollectorRegistry) -> None:
        ProcessCollector(registry=r)
        self._build = Gauge(
            "tts_build_info", "1, with what runs as labels", ["version", "python"], registry=r
        )
        self.loop_lag = Histogram(
            "tts_event_loop_lag_seconds",
            "How late the event loop ran a timer",
            buckets=LAG_BUCKETS,
            registry=r,
        )

    def built(self, version: str) -> None:
        """Which version of the server runs."""
        self._build.labels(version, platform.python_version()).set(1)
