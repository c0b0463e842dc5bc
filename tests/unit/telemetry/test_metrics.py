"""Metrics stay few whatever callers send, and lead to traces; a fake of NVIDIA's library tells of GPUs."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.fake_server import fake_server
from tests.nvml_fake import FakeNvml

from june_tts.engine.fake import FakeEngine
from june_tts.telemetry.metrics import Metrics
from june_tts.telemetry.metrics.speech import MOST_VOICE_LABELS
from june_tts.telemetry.nvml import Gpus, NoGpus, nvml
from june_tts.telemetry.recorder import Recorder
from june_tts.telemetry.tracing import TraceContext, Unrecorded, as_current, read_traceparent

pytestmark = pytest.mark.unit

CALLER = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", sampled=True)
OPEN_METRICS = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}


def series(metrics: Metrics) -> int:
    return sum(not line.startswith("#") for line in metrics.expose().decode().splitlines())


def test_ten_thousand_voices_are_no_more_series_than_a_hundred() -> None:
    metrics = Metrics()
    recorder = Recorder(metrics)

    def speak(voice_id: str) -> None:
        watch = recorder.begin("r", voice_id, "fake", 5)
        watch.chunk(1.0)
        watch.end("success")

    for number in range(MOST_VOICE_LABELS + 1):
        speak(f"voice-{number}")
    full = series(metrics)
    for number in range(10_000):
        speak(f"more-{number}")
    assert series(metrics) == full
    counted = re.findall(
        r'tts_requests_total{status="success",voice_id="(.+)"} (.+)', metrics.expose().decode()
    )
    assert sum(float(value) for _, value in counted) == 10_000 + MOST_VOICE_LABELS + 1
    assert dict(counted)["other"] == "10001.0"


async def test_no_part_of_a_request_becomes_a_label() -> None:
    marker = "m4rk3r"
    async with fake_server(FakeEngine(clones=True)) as server:
        speech = {"input": f"Hello {marker}.", "voice": marker, "model": marker, "response_format": marker}
        for method, path, body in (
            ("POST", "/v1/audio/speech", speech),
            ("POST", "/v1/audio/speech", speech | {"response_format": "wav"}),
            ("POST", f"/v1/text-to-speech/{marker}", {"text": marker, "model_id": marker}),
            ("POST", "/v1/tts", {"text": marker, "reference_id": marker}),
            ("GET", f"/v1/voices/{marker}", None),
            ("DELETE", f"/api/voices/{marker}", None),
            ("GET", f"/{marker}", None),
            (marker.upper(), "/health", None),
        ):
            headers = {
                "x-request-id": marker,
                "user-agent": marker,
                "traceparent": marker,
                "x-priority": marker,
            }
            await server.http.request(method, path, json=body, headers=headers)
        text = (await server.http.get("/metrics")).text
    assert "tts_http_requests_total" in text
    assert marker not in text.lower()


async def test_a_number_leads_to_the_trace_of_a_request_that_made_it() -> None:
    async with fake_server() as server:
        headers = {"traceparent": CALLER.traceparent}
        await server.http.post("/v1/tts", json={"text": "Hello."}, headers=headers)
        open_metrics = await server.http.get("/metrics", headers=OPEN_METRICS)
        plain = await server.http.get("/metrics")
    assert open_metrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert open_metrics.text.endswith("# EOF\n")
    exemplars = {
        line.partition("_bucket")[0]
        for line in open_metrics.text.splitlines()
        if f'# {{trace_id="{CALLER.trace_id}"}}' in line
    }
    assert exemplars == {"tts_ttfa_seconds", "tts_latency_seconds", "tts_http_first_byte_seconds"}
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert CALLER.trace_id not in plain.text


@pytest.mark.parametrize(
    "accept", ["", "*/*", "text/html", "application/json", "text/plain; version=", ",;=,", "a" * 4000]
)
async def test_any_other_accept_gets_the_plain_format(accept: str) -> None:
    async with fake_server() as server:
        reply = await server.http.get("/metrics", headers={"accept": accept})
    assert (reply.status_code, reply.headers["content-type"][:10]) == (200, "text/plain")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-٠af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ],
)
def test_what_is_no_traceparent_is_as_if_there_were_none(header: str) -> None:
    assert read_traceparent(header) is None


def test_a_traceparent_of_a_later_version_is_read_as_far_as_this_one_goes() -> None:
    found = read_traceparent(f"01-{CALLER.trace_id}-{CALLER.span_id}-03-new", "vendor=x")
    assert found == TraceContext(CALLER.trace_id, CALLER.span_id, sampled=True, state="vendor=x")
    assert read_traceparent(CALLER.traceparent) == CALLER
    unsampled = TraceContext(CALLER.trace_id, CALLER.span_id, sampled=False)
    assert read_traceparent(unsampled.traceparent) == unsampled


async def test_a_trace_that_nobody_keeps_is_no_exemplar() -> None:
    metrics = Metrics()
    with as_current(Unrecorded(TraceContext(CALLER.trace_id, CALLER.span_id, sampled=False))):
        watch = Recorder(metrics).begin("r", "joe", "fake", 5)
        watch.chunk(1.0)
        watch.end("success")
    text, _ = await metrics.exposed(OPEN_METRICS["accept"])
    assert CALLER.trace_id not in text.decode()


async def watched(gpus: Gpus, so_far: Callable[[], bool]) -> None:
    """Read until it has come to that; fails after 5 s."""
    for _ in range(1000):
        if so_far():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"still {gpus.now}")


async def test_gpus_are_told_by_their_number_and_missing_while_they_cannot_be_read() -> None:
    library, metrics = FakeNvml(), Metrics()
    gpus = Gpus(lambda: library, pause=0.005)
    metrics.watch_gpus(lambda: gpus.now)
    running = asyncio.create_task(gpus.run())
    try:
        await watched(gpus, lambda: bool(gpus.now))
        text = metrics.expose().decode()
        assert 'tts_gpu_memory_used_bytes{gpu="1"} 2.097152e+06' in text
        assert 'tts_gpu_memory_total_bytes{gpu="0"} 8.388608e+07' in text
        assert 'tts_gpu_utilisation_ratio{gpu="1"} 0.5' in text
        assert 'tts_gpu_temperature_celsius{gpu="0"} 40.0' in text
        library.lost = True
        await watched(gpus, lambda: not gpus.now)
        assert "tts_gpu_memory" not in metrics.expose().decode()
        library.lost, library.split = False, True
        await watched(gpus, lambda: bool(gpus.now))
        text = metrics.expose().decode()
        assert "tts_gpu_memory_used_bytes{" in text and "tts_gpu_utilisation_ratio{" not in text
    finally:
        running.cancel()


async def test_without_a_library_no_gpu_is_watched() -> None:
    def none() -> Any:
        raise NoGpus("there is none")

    gpus = Gpus(none)
    await asyncio.wait_for(gpus.run(), 5)
    assert gpus.now == ()


def test_the_real_library_is_asked_and_says_whether_there_is_a_gpu() -> None:
    try:
        library = nvml()
    except NoGpus as none:
        assert str(none)
    else:
        assert library.nvmlDeviceGetCount() > 0
