"""Every metric: name, labels, buckets; one file a subject. `docs/reference/metrics.md` lists them.

A new subject is a class in a file of its own that takes the registry, and a line in `Metrics`. No label may
take its values from callers without a bound: each value is a series that is kept for ever.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from june_tts.telemetry.metrics.access import AccessMetrics
from june_tts.telemetry.metrics.admission import AdmissionMetrics
from june_tts.telemetry.metrics.batch import BatchMetrics
from june_tts.telemetry.metrics.database import DatabaseMetrics
from june_tts.telemetry.metrics.engines import EngineMetrics
from june_tts.telemetry.metrics.fish import FishCollector
from june_tts.telemetry.metrics.gpu import GpuCollector
from june_tts.telemetry.metrics.http import HttpMetrics
from june_tts.telemetry.metrics.jobs import JobMetrics
from june_tts.telemetry.metrics.links import LinkMetrics
from june_tts.telemetry.metrics.merged import Collected, Everything
from june_tts.telemetry.metrics.phrases import PhraseMetrics
from june_tts.telemetry.metrics.process import ProcessMetrics
from june_tts.telemetry.metrics.rooms import RoomMetrics
from june_tts.telemetry.metrics.speech import SpeechMetrics
from june_tts.telemetry.metrics.voices import VoiceCacheMetrics
from june_tts.telemetry.nvml import Gpu
from june_tts.types import EngineCounts

OPEN_METRICS = "application/openmetrics-text"


class Metrics:
    """One registry per server, so that two servers in one process (tests) do not share counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.process = ProcessMetrics(self.registry)
        self.http = HttpMetrics(self.registry)
        self.speech = SpeechMetrics(self.registry)
        self.admission = AdmissionMetrics(self.registry)
        self.batch = BatchMetrics(self.registry)
        self.jobs = JobMetrics(self.registry)
        self.phrases = PhraseMetrics(self.registry)
        self.rooms = RoomMetrics(self.registry)
        self.engines = EngineMetrics(self.registry)
        self.database = DatabaseMetrics(self.registry)
        self.links = LinkMetrics(self.registry)
        self.voices = VoiceCacheMetrics(self.registry)
        self.access = AccessMetrics(self.registry)

    def watch_fish(self, counts: Callable[[], EngineCounts]) -> None:
        """Read the counts of the engine fish, which its process keeps, at every scrape."""
        self.registry.register(FishCollector(counts))

    def watch_gpus(self, gpus: Callable[[], Sequence[Gpu]]) -> None:
        """Read what is known of the GPUs at every scrape."""
        self.registry.register(GpuCollector(gpus))

    def watch_engine(self, name: str, streams: Callable[[], float], runs: Callable[[], float]) -> None:
        """Read an engine's own counts at every scrape."""
        self.engines.watch(name, streams, runs)

    def expose(self) -> bytes:
        """Prometheus's text format."""
        return generate_latest(self.registry)

    async def exposed(
        self, accept: str, everyone: Sequence[Mapping[str, Any]] | None = None
    ) -> tuple[bytes, str]:
        """In the format that a scraper's `Accept` asks for, and its media type. OpenMetrics has exemplars.

        Counts are read at once and written out in a thread: with a hundred voices a scrape takes 12 ms.

        Args:
            everyone: what all processes of the server have counted, where there are several.
        """
        families = list((self.registry if everyone is None else Everything(everyone)).collect())
        return await asyncio.to_thread(_encoded, accept, Collected(families))


def _encoded(accept: str, families: Collector) -> tuple[bytes, str]:
    if any(_named(offer) == OPEN_METRICS for offer in accept.split(",")):
        text: bytes = openmetrics.generate_latest(families)  # type: ignore[no-untyped-call]  # untyped there
        return text, openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(families), CONTENT_TYPE_PLAIN_0_0_4


def _named(offer: str) -> str:
    """The media type alone, of what an `Accept` offers."""
    return offer.partition(";")[0].strip().lower()
