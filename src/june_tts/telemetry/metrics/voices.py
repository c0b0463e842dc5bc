"""The cache of voices in front of the library."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class VoiceCacheMetrics:
    def __init__(self, r: CollectorRegistry) -> None:
        self.reads = Counter(
            "tts_voice_cache_reads",
            "What was asked of a level of the cache of voices",
            ["level", "outcome"],
            registry=r,
        )
        self.joins = Counter("tts_voice_cache_joins", "Reads that waited for one under way", registry=r)
        self.evictions = Counter(
            "tts_voice_cache_evictions", "Parts of voices dropped from memory", registry=r
        )
        self.stale = Counter(
            "tts_voice_cache_stale", "Voices given as they were known while the library was away", registry=r
        )
        self.news = Counter(
            "tts_voice_cache_news", "Changes of voices that other replicas told of", registry=r
        )
        self._bytes = Gauge("tts_voice_cache_bytes", "Memory for voices", registry=r)

    def watch_bytes(self, held: Callable[[], float]) -> None:
        """Read at every scrape."""
        self._bytes.set_function(held)
