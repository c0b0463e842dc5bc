"""Every metric: name, labels, buckets. The guide's names stay; `docs/reference/metrics.md` lists them."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from june_tts.types import EngineCounts

LATENCY_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
TTFA_BUCKETS = (0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0)
GAP_BUCKETS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56)
TEXT_BUCKETS = (10, 25, 50, 100, 200, 400, 800, 1600, 5000, 20_000, 100_000)
RTF_BUCKETS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 3.0)
LAG_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)

MOST_VOICE_LABELS = 100
"""Voice ids that get series of their own; a flood of new ones is counted as `other`."""


FISH_COUNTERS = {
    "restarts": ("tts_fish_restarts", "Processes of the Fish engine started in place of one that ended"),
    "steps": ("tts_fish_steps", "Runs of the Fish model"),
    "failed_steps": ("tts_fish_failed_steps", "Runs of the Fish model that failed"),
    "rows": ("tts_fish_rows", "Streams in all runs of the Fish model together"),
    "frames": ("tts_fish_frames", "Frames that the Fish model made"),
    "prompt_positions": ("tts_fish_prompt_positions", "Positions of texts and recordings computed"),
    "prefix_hits": ("tts_fish_prefix_hits", "Requests whose recording had been computed before"),
    "prefix_misses": ("tts_fish_prefix_misses", "Requests whose recording had to be computed"),
}
FISH_GAUGES = {
    "prefix_bytes": ("tts_fish_prefix_bytes", "Memory for what was computed of recordings"),
    "slots": ("tts_fish_slots", "Streams that the Fish model can speak at once"),
    "slots_taken": ("tts_fish_slots_taken", "Streams that it speaks"),
    "waiting": ("tts_fish_waiting", "Requests that wait for a slot"),
}
"""Fields of `EngineCounts` to metrics."""


class _FishCollector(Collector):
    def __init__(self, counts: Callable[[], EngineCounts]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        counts = self._counts()
        for field, (name, meaning) in FISH_COUNTERS.items():
            yield CounterMetricFamily(name, meaning, value=getattr(counts, field))
        for field, (name, meaning) in FISH_GAUGES.items():
            yield GaugeMetricFamily(name, meaning, value=getattr(counts, field))


class Metrics:
    """One registry per server, so that two servers in one process (tests) do not share counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        ProcessCollector(registry=r)
        self.requests = Counter("tts_requests", "Requests ended, by how", ["voice_id", "status"], registry=r)
        self.latency = Histogram(
            "tts_latency_seconds",
            "From the request to its last audio",
            ["voice_id"],
            buckets=LATENCY_BUCKETS,
            registry=r,
        )
        self.ttfa = Histogram(
            "tts_ttfa_seconds",
            "From the request to its first audio, as the engine made it",
            ["engine"],
            buckets=TTFA_BUCKETS,
            registry=r,
        )
        self.gap = Histogram(
            "tts_chunk_gap_seconds",
            "Between two chunks of one stream",
            ["engine"],
            buckets=GAP_BUCKETS,
            registry=r,
        )
        self.underruns = Counter(
            "tts_underruns",
            "Times that a listener who started at first audio would have run out of sound",
            ["engine"],
            registry=r,
        )
        self.rtf = Histogram(
            "tts_rtf", "Time spent per second of audio", ["engine"], buckets=RTF_BUCKETS, registry=r
        )
        self.audio = Counter("tts_audio_seconds", "Audio made, in seconds", ["engine"], registry=r)
        self.text_length = Histogram(
            "tts_text_length_chars", "Length of the text", buckets=TEXT_BUCKETS, registry=r
        )
        self.active = Gauge("tts_active_requests", "Streams being served", registry=r)
        self.refused = Counter("tts_refused", "Requests refused before any work", ["code"], registry=r)
        self.loop_lag = Histogram(
            "tts_event_loop_lag_seconds",
            "How late the event loop ran a timer",
            buckets=LAG_BUCKETS,
            registry=r,
        )
        self.room_joins = Counter(
            "tts_room_joins", "Tries to join a room, by outcome", ["outcome"], registry=r
        )
        self.room_utterances = Counter(
            "tts_room_utterances", "Utterances in rooms ended, by how", ["state"], registry=r
        )
        self.room_heard = Counter("tts_room_heard_seconds", "Speech that left for rooms", registry=r)
        self.room_underruns = Counter(
            "tts_room_underruns", "Times that a room heard silence because speech came too late", registry=r
        )
        self._rooms = Gauge("tts_rooms", "Rooms joined", registry=r)
        self._room_waiting = Gauge("tts_room_waiting", "Utterances that wait for their turn", registry=r)
        self._streams = Gauge("tts_engine_streams", "Streams in the engine", ["engine"], registry=r)
        self._runs = Gauge("tts_engine_runs", "Model runs under way", ["engine"], registry=r)
        self._voices: set[str] = set()

    def watch_fish(self, counts: Callable[[], EngineCounts]) -> None:
        """Read the counts of the engine fish, which its process keeps, at every scrape."""
        self.registry.register(_FishCollector(counts))

    def watch_engine(self, name: str, streams: Callable[[], float], runs: Callable[[], float]) -> None:
        """Read an engine's own counts at every scrape."""
        self._streams.labels(name).set_function(streams)
        self._runs.labels(name).set_function(runs)

    def watch_rooms(self, joined: Callable[[], float]) -> None:
        """Read the number of rooms at every scrape."""
        self._rooms.set_function(joined)

    def watch_waiting(self, waiting: Callable[[], float]) -> None:
        """Read how many utterances wait, over all rooms, at every scrape."""
        self._room_waiting.set_function(waiting)

    def voice_label(self, voice_id: str) -> str:
        """The label for a voice that exists, bounded in number."""
        if voice_id not in self._voices:
            if len(self._voices) >= MOST_VOICE_LABELS:
                return "other"
            self._voices.add(voice_id)
        return voice_id

    def expose(self) -> bytes:
        """Prometheus's text format."""
        return generate_latest(self.registry)
