"""What several processes have counted, given to Prometheus' client to be written out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import Exemplar, Metric
from prometheus_client.registry import Collector


class Everything(Collector):
    """Families that were added up elsewhere: name, type, help, samples of name, labels, value, exemplar."""

    def __init__(self, families: Sequence[Mapping[str, Any]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            metric = Metric(family["name"], family["help"], family["type"])
            for name, labels, value, seen in family["samples"]:
                metric.add_sample(name, labels, value, exemplar=Exemplar(*seen) if seen else None)
            yield metric


class Collected(Collector):
    """Families as they were read a moment ago."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families
