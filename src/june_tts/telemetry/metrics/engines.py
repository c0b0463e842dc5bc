"""What every engine tells of itself."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class EngineMetrics:
    def __init__(self, r: CollectorRegistry) -> None:
        self._streams = Gauge("tts_engine_streams", "Streams in the engine", ["engine"], registry=r)
        self._runs = Gauge("tts_engine_runs", "Model runs under way", ["engine"], registry=r)
        self._stalled = Gauge(
            "tts_engine_stalled",
            "1 while streams wait for an engine that makes nothing",
            ["engine"],
            registry=r,
        )
        self.stalls = Counter(
            "tts_engine_stalls", "Times that an engine made nothing for too long", ["engine"], registry=r
        )

    def watch_stalled(self, name: str, stalled: Callable[[], float]) -> None:
        """Read whether an engine is stalled at every scrape."""
        self._stalled.labels(name).set_function(stalled)

    def watch(self, name: str, streams: Callable[[], float], runs: Callable[[], float]) -> None:
        """Read an engine's own counts at every scrape."""
        self._streams.labels(name).set_function(streams)
        self._runs.labels(name).set_function(runs)
