"""What is spoken for nobody who waits at the other end: batches, and jobs."""

from prometheus_client import CollectorRegistry, Counter


class BatchMetrics:
    def __init__(self, r: CollectorRegistry) -> None:
        self.items = Counter("tts_batch_items", "Items of batches ended, by how", ["status"], registry=r)
