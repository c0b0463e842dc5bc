"""The server's own process."""

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector

LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


class ProcessMetrics:
    def __init__(self, r: CollectorRegistry) -> None:
        ProcessCollector(registry=r)
        self.loop_lag = Histogram(
            "tts_event_loop_lag_seconds",
            "How late the event loop ran a timer",
            buckets=LAG_BUCKETS,
            registry=r,
        )
