"""What is answered with speech that was made before."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class PhraseMetrics:
    def __init__(self, r: CollectorRegistry) -> None:
        self.hits = Counter(
            "tts_phrase_hits",
            "Requests answered with a phrase made before, by where it was",
            ["level"],
            registry=r,
        )
        self.misses = Counter(
            "tts_phrase_misses", "Requests for a phrase that may be kept and was not there", registry=r
        )
        self.saved = Counter(
            "tts_phrase_saved_seconds",
            "Audio that no engine had to make, in seconds, by where it was",
            ["level"],
            registry=r,
        )
        self.stored = Counter("tts_phrase_stored", "Phrases kept", registry=r)
        self._bytes = Gauge("tts_phrase_bytes", "Memory for phrases", registry=r)
        self._entries = Gauge("tts_phrase_entries", "Phrases in memory", registry=r)

    def watch(self, size: Callable[[], float], entries: Callable[[], float]) -> None:
        """Read what memory holds at every scrape."""
        self._bytes.set_function(size)
        self._entries.set_function(entries)
