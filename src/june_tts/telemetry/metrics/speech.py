"""What streams do: how many, how soon, how steadily."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LATENCY_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
TTFA_BUCKETS = (0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0)
GAP_BUCKETS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56)
TEXT_BUCKETS = (10, 25, 50, 100, 200, 400, 800, 1600, 5000, 20_000, 100_000)
RTF_BUCKETS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 3.0)

MOST_VOICE_LABELS = 100
"""Voice ids that get series of their own; a flood of new ones is counted as `other`."""
OTHER = "other"


class SpeechMetrics:
    def __init__(self, r: CollectorRegistry) -> None:
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
        self._voices: set[str] = set()

    def voice_label(self, voice_id: str) -> str:
        """The label for a voice that exists, bounded in number."""
        if voice_id not in self._voices:
            if len(self._voices) >= MOST_VOICE_LABELS:
                return OTHER
            self._voices.add(voice_id)
        return voice_id
