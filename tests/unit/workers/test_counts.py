"""What several processes have counted, added up by Prometheus' own types."""

import json

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from june_tts.telemetry.metrics.merged import Everything
from june_tts.workers.counts import Snapshot, grown, merged, snapshot

pytestmark = pytest.mark.unit


def process(requests: int, active: int, *seconds: float) -> Snapshot:
    """What one process tells of itself, as it arrives."""
    registry = CollectorRegistry()
    counter = Counter("requests", "Requests", ["status"], registry=registry)
    counter.labels("success").inc(requests, {"trace_id": f"t{requests}"})
    Gauge("active", "Active", registry=registry).set(active)
    Gauge("process_open_fds", "Handles", registry=registry).set(active)
    latency = Histogram("latency", "Latency", buckets=(0.1, 1.0), registry=registry)
    for each in seconds:
        latency.observe(each)
    told: Snapshot = json.loads(json.dumps(snapshot(registry)))
    return told


def exposed(found: Snapshot) -> str:
    registry = CollectorRegistry()
    registry.register(Everything(found))
    return generate_latest(registry).decode()


def test_counters_and_histograms_and_gauges_are_added() -> None:
    text = exposed(merged({"0": process(2, 1, 0.05, 0.5), "1": process(3, 4, 5.0)}, []))
    assert 'requests_total{status="success"} 5.0' in text
    assert "active 5.0" in text
    for line in (
        'bucket{le="0.1"} 1.0',
        'bucket{le="1.0"} 2.0',
        'bucket{le="+Inf"} 3.0',
        "sum 5.55",
        "count 3.0",
    ):
        assert f"latency_{line}" in text
    assert text.count("# TYPE requests_total counter") == text.count("# TYPE latency histogram") == 1


def test_what_describes_a_process_is_told_apart() -> None:
    text = exposed(merged({"0": process(1, 7), "engines": process(1, 9)}, []))
    assert 'process_open_fds{process="0"} 7.0' in text
    assert 'process_open_fds{process="engines"} 9.0' in text


def test_a_process_that_has_ended_leaves_its_counts_and_nothing_else() -> None:
    ended = grown([grown([process(10, 100, 0.5)]), process(20, 100)])
    text = exposed(merged({"0": process(1, 2)}, ended))
    assert 'requests_total{status="success"} 31.0' in text and "latency_count 1.0" in text
    assert "active 2.0" in text and 'process_open_fds{process="0"} 2.0' in text


def test_the_newest_exemplar_and_the_earliest_beginning_are_kept() -> None:
    one, other = process(1, 1), process(2, 1)
    found = {family["name"]: family["samples"] for family in merged({"0": one, "1": other}, [])}
    total, created = found["requests"]
    assert total[0] == "requests_total" and total[3][0] == {"trace_id": "t2"}
    assert created[2] == one[0]["samples"][1][2]


def test_series_that_only_one_process_has_are_there() -> None:
    registry = CollectorRegistry()
    Counter("seldom", "Seldom", registry=registry).inc()
    assert "seldom_total 1.0" in exposed(merged({"0": process(1, 1), "1": snapshot(registry)}, []))
