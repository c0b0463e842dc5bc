"""The queue in front of the engines: who waits for how long, who is sent away and why, what engines carry."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

WAIT_BUCKETS = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class AdmissionMetrics:
    def __init__(self, r: CollectorRegistry) -> None:
        self._registry = r
        self._wait = Histogram(
            "tts_queue_wait_seconds",
            "How long admitted streams waited for their place",
            ["priority"],
            buckets=WAIT_BUCKETS,
            registry=r,
        )
        self._refused = Counter(
            "tts_admission_refused", "Streams that got no place, by why", ["priority", "reason"], registry=r
        )
        self._playing = Gauge("tts_playing", "Streams that have a place", ["priority"], registry=r)
        self._queued = Gauge("tts_queued", "Streams that wait for a place", ["priority"], registry=r)

    def waited(self, priority: str, seconds: float) -> None:
        """A stream got its place after so long."""
        self._wait.labels(priority).observe(seconds)

    def refused(self, priority: str, reason: str) -> None:
        """A stream got none."""
        self._refused.labels(priority, reason).inc()

    def watch(self, priority: str, playing: Callable[[], float], queued: Callable[[], float]) -> None:
        """Read the counts of a class at every scrape."""
        self._playing.labels(priority).set_function(playing)
        self._queued.labels(priority).set_function(queued)

    def watch_limits(self, limits: Callable[[], Mapping[str, int]]) -> None:
        """Read what each engine carries at every scrape."""
        self._registry.register(_Limits(limits))


class _Limits(Collector):
    def __init__(self, limits: Callable[[], Mapping[str, int]]) -> None:
        self._limits = limits

    def collect(self) -> Iterator[Metric]:
        """One series for each engine that has spoken."""
        family = GaugeMetricFamily(
            "tts_stream_limit", "Streams that an engine carries, as learned so far", labels=["engine"]
        )
        for engine, limit in self._limits().items():
            family.add_metric([engine], limit)
        yield family
