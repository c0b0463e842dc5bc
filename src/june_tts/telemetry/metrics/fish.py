"""What the Fish engine's process counts, read at every scrape."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from june_tts.types import EngineCounts

COUNTERS = {
    "restarts": ("tts_fish_restarts", "Processes of the Fish engine started in place of one that ended"),
    "steps": ("tts_fish_steps", "Runs of the Fish model"),
    "failed_steps": ("tts_fish_failed_steps", "Runs of the Fish model that failed"),
    "rows": ("tts_fish_rows", "Streams in all runs of the Fish model together"),
    "frames": ("tts_fish_frames", "Frames that the Fish model made"),
    "prompt_positions": ("tts_fish_prompt_positions", "Positions of texts and recordings computed"),
    "prefix_hits": ("tts_fish_prefix_hits", "Requests whose recording had been computed before"),
    "prefix_misses": ("tts_fish_prefix_misses", "Requests whose recording had to be computed"),
}
GAUGES = {
    "prefix_bytes": ("tts_fish_prefix_bytes", "Memory for what was computed of recordings"),
    "slots": ("tts_fish_slots", "Streams that the Fish model can speak at once"),
    "slots_taken": ("tts_fish_slots_taken", "Streams that it speaks"),
    "waiting": ("tts_fish_waiting", "Requests that wait for a slot"),
    "batch": ("tts_fish_batch", "Streams in the last run of the Fish model"),
    "kv_positions": ("tts_fish_kv_positions", "Positions that there is memory for"),
    "kv_used": ("tts_fish_kv_positions_used", "Positions taken by prompts and speech of the streams"),
}
"""Fields of `EngineCounts` to metrics."""


class FishCollector(Collector):
    def __init__(self, counts: Callable[[], EngineCounts]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        counts = self._counts()
        for field, (name, meaning) in COUNTERS.items():
            yield CounterMetricFamily(name, meaning, value=getattr(counts, field))
        for field, (name, meaning) in GAUGES.items():
            yield GaugeMetricFamily(name, meaning, value=getattr(counts, field))
