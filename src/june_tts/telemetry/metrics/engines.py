"""What every engine tells of itself."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge


class EngineMetrics:
    def __init__(self, r: CollectorRegistry) -> None:
        self._streams = Gauge("tts_engine_streams", "Streams in the engine", ["engine"], registry=r)
        self._runs = Gauge("tts_engine_runs", "Model runs under way", ["engine"], registry=r)

    def watch(self, name: str, streams: Callable[[], float], runs: Callable[[], float]) -> None:
        """Read an engine's own counts at every scrape."""
        self._streams.labels(name).set_function(streams)
        self._runs.labels(name).set_function(runs)
