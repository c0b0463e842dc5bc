"""Long texts that are spoken while nobody waits."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class JobMetrics:
    def __init__(self, r: CollectorRegistry) -> None:
        self.ended = Counter("tts_jobs", "Jobs ended by this server, by how", ["state"], registry=r)
        self.pieces = Counter(
            "tts_job_pieces", "Pieces of jobs spoken, and tries that failed", ["status"], registry=r
        )
        self._running = Gauge("tts_jobs_running", "Jobs that this server works on", registry=r)

    def watch(self, running: Callable[[], float]) -> None:
        """Read how many are worked on at every scrape."""
        self._running.set_function(running)
