"""What several processes have counted, as one: Prometheus' families as plain lists, added up.

Counters and histograms are added, also those of processes that have ended, or a worker that is started again
would make them go backwards. Gauges are added over what runs, but for those in `LARGEST`. What describes a
process (`process_…`) is told apart by a label. Nothing here imports the client: the supervisor adds, too.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

SPLIT = ("process_", "python_")
"""Families of one process each."""
LABEL = "process"
LARGEST = (
    *("tts_build_info", "tts_database_up", "tts_engine_stalled"),
    *("tts_gpu_", "tts_keys", "tts_redis_up"),
)
"""Beginnings of the names of gauges that tell what all processes see alike."""
GROWING = ("counter", "histogram", "summary")
CREATED = "_created"
"""The time of a counter's first count: of several, the earliest."""

Sample = list[Any]
"""Name, labels, value, exemplar: [labels, value, timestamp] or None."""
Family = dict[str, Any]
"""name, type, help, samples."""
Snapshot = list[Family]

Counts = dict[str, Any]
"""What a process tells: its `families`, and a web worker's `totals` by the names of `Totals`."""


class Registry(Protocol):
    """`prometheus_client.CollectorRegistry`."""

    def collect(self) -> Iterable[Any]: ...


def snapshot(registry: Registry) -> Snapshot:
    """Everything in a registry, fit for JSON."""
    return [
        {
            "name": family.name,
            "type": family.type,
            "help": family.documentation,
            "samples": [_sample(sample) for sample in family.samples],
        }
        for family in registry.collect()
    ]


def grown(parts: Iterable[Snapshot]) -> Snapshot:
    """What stays of processes that have ended: what they counted, as one."""
    lasting = [
        [family for family in part if family["type"] in GROWING and not family["name"].startswith(SPLIT)]
        for part in parts
    ]
    return list(_added(lasting))


def merged(running: Mapping[str, Snapshot], ended: Snapshot) -> Snapshot:
    """Of all processes. `running`: by the name of the process, which is its label."""
    apart = [_labelled(part, name) for name, part in running.items()]
    return list(_added([*apart, ended]))


def last_words(before: Counts | None, last: Counts) -> Counts:
    """What is kept of a process that has ended, and of those in its place before it."""
    both = [last] if before is None else [before, last]
    totals = [{**one.get("totals", {}), "active": 0} for one in both]
    names = {name for one in totals for name in one}
    return {
        "families": grown(one["families"] for one in both),
        "totals": {name: sum(one.get(name, 0) for one in totals) for name in names},
    }


def _sample(sample: Any) -> Sample:
    seen = sample.exemplar
    exemplar = [dict(seen.labels), seen.value, seen.timestamp] if seen else None
    return [sample.name, dict(sample.labels), sample.value, exemplar]


def _labelled(part: Snapshot, name: str) -> Snapshot:
    return [
        {**family, "samples": [_of(sample, name) for sample in family["samples"]]}
        if family["name"].startswith(SPLIT)
        else family
        for family in part
    ]


def _of(sample: Sample, name: str) -> Sample:
    return [sample[0], {**sample[1], LABEL: name}, *sample[2:]]


def _added(parts: Sequence[Snapshot]) -> Iterator[Family]:
    found: dict[str, Family] = {}
    for part in parts:
        for family in part:
            known = found.setdefault(family["name"], {**family, "samples": {}})
            for sample in family["samples"]:
                _add(known, sample)
    for family in found.values():
        yield {**family, "samples": list(family["samples"].values())}


def _add(family: Family, sample: Sample) -> None:
    name, labels, value, exemplar = sample
    key = (name, tuple(sorted(labels.items())))
    before = family["samples"].get(key)
    if before is None:
        family["samples"][key] = [name, labels, value, exemplar]
        return
    before[2] = _together(family, name, before[2], value)
    before[3] = _newer(before[3], exemplar)


def _together(family: Family, sample: str, one: float, other: float) -> float:
    if sample.endswith(CREATED):
        return min(one, other)
    return max(one, other) if family["name"].startswith(LARGEST) else one + other


def _newer(one: Any, other: Any) -> Any:
    return max((seen for seen in (one, other) if seen), key=lambda seen: seen[2] or 0, default=None)
