"""Traces as a real collector gets them: in protobuf, through the Fish engine's process and back."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.fake_server import FakeServer, fake_server
from tests.fish_engines import engine as fish_engine
from tests.fish_engines import utterance, written
from tests.trace_collector import Collector, attributes, collecting

from june_tts.bootstrap.hosted_admission import admit_at
from june_tts.cache.memory_ledger import MemoryLedger
from june_tts.engine.fish import FishEngine
from june_tts.engine.host_link import HostLink
from june_tts.engine.hosted import hosted_engines
from june_tts.engine.hosting import EngineHost
from june_tts.engine.remote_client import RemoteClient, RemoteOptions
from june_tts.engine.remote_server import Server
from june_tts.errors import EngineFailed
from june_tts.ports import Engine
from june_tts.service.admission import Admission, AdmissionRules
from june_tts.telemetry.log import configure
from june_tts.telemetry.metrics import Metrics
from june_tts.telemetry.otel import OtelTraces, TraceOptions
from june_tts.telemetry.tracing import (
    NO_SPAN,
    TraceContext,
    Unrecorded,
    as_current,
    current,
    read_traceparent,
    under,
)

pytestmark = pytest.mark.integration

CALLER = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", sampled=True)
SPEECH = {"input": "Hello there, this is traced.", "voice": "fake", "response_format": "wav"}
SERVER = 2
"""SpanKind's number on the wire."""


def options(collector: Collector, sampler: str = "parentbased_always_on", share: float = 1.0) -> TraceOptions:
    return TraceOptions(collector.address, "june-tests", sampler, share)


@asynccontextmanager
async def traced(sampler: str = "parentbased_always_on") -> AsyncIterator[tuple[FakeServer, Collector]]:
    """What was recorded has been sent when the block's server is closed by `traces.close()`."""
    async with collecting() as collector:
        traces = OtelTraces(options(collector, sampler))
        async with fake_server(traces=traces, api_key="secret") as server:
            server.http.headers["authorization"] = "Bearer secret"
            yield server, collector
        await traces.close()


async def sent(server: FakeServer) -> None:
    await server.services.traces.close()


async def test_one_request_is_one_trace_from_its_caller_to_the_encoder() -> None:
    async with traced() as (server, collector):
        reply = await server.http.post(
            "/v1/audio/speech", json=SPEECH, headers={"traceparent": CALLER.traceparent, "tracestate": "a=b"}
        )
        await sent(server)
    assert reply.headers["x-trace-id"] == CALLER.trace_id
    assert {span.trace_id.hex() for span in collector.spans} == {CALLER.trace_id}
    assert collector.services == {"june-tests"}
    request = collector.named("POST /v1/audio/speech")
    assert (request.parent_span_id.hex(), request.kind, request.trace_state) == (
        CALLER.span_id,
        SERVER,
        "a=b",
    )
    assert attributes(request)["http.response.status_code"] == 200
    assert attributes(request)["http.route"] == "/v1/audio/speech"
    tree = {span.name: collector.parent(span) for span in collector.spans}
    assert tree == dict.fromkeys(("voice", "queue", "speak", "encode"), request.name) | {request.name: ""}
    speak = collector.named("speak")
    assert [event.name for event in speak.events] == ["first_audio"]
    assert attributes(speak)["june.engine"] == "fake"
    assert attributes(speak)["june.status"] == "success"
    assert all(
        request.start_time_unix_nano <= s.start_time_unix_nano <= s.end_time_unix_nano
        for s in collector.spans
    )


async def test_the_callers_words_are_in_no_span() -> None:
    async with traced() as (server, collector):
        await server.http.post("/v1/audio/speech", json=SPEECH | {"input": "Rosebud was a sledge."})
        await server.http.post("/v1/audio/speech", json=SPEECH | {"voice": "rosebud-voice"})
        await sent(server)
    everything = str([span for span in collector.spans if span.name != "voice"])
    assert "POST /v1/audio/speech" in everything
    assert "osebud" not in everything


async def test_a_refusal_and_a_failure_are_traced_with_their_codes() -> None:
    async with traced() as (server, collector):
        refused = await server.http.post("/v1/audio/speech", json=SPEECH | {"voice": "nobody"})
        assert refused.status_code == 404
        await sent(server)
    voices = [attributes(span) for span in collector.spans if span.name == "voice"]
    assert {told["error.type"] for told in voices} == {"voice_not_found"}
    assert attributes(collector.named("POST /v1/audio/speech"))["http.response.status_code"] == 404


@pytest.mark.parametrize(
    ("sampler", "parent", "kept"),
    [
        ("parentbased_always_on", CALLER, True),
        ("parentbased_always_on", TraceContext(CALLER.trace_id, CALLER.span_id, sampled=False), False),
        ("parentbased_always_off", CALLER, True),
        ("parentbased_always_off", None, False),
        ("always_off", CALLER, False),
    ],
)
async def test_a_sampler_decides_what_is_kept_and_the_id_is_told_either_way(
    sampler: str, parent: TraceContext | None, kept: bool
) -> None:
    headers = {"traceparent": parent.traceparent} if parent else {}
    async with traced(sampler) as (server, collector):
        reply = await server.http.post("/v1/audio/speech", json=SPEECH, headers=headers)
        metrics = (await server.http.get("/metrics", headers={"accept": "application/openmetrics-text"})).text
        await sent(server)
    assert bool(collector.spans) == kept
    assert len(reply.headers["x-trace-id"]) == 32
    assert ("# {trace_id=" in metrics) == kept


async def test_a_collector_that_is_away_delays_neither_requests_nor_the_end() -> None:
    traces = OtelTraces(TraceOptions("http://127.0.0.1:9/v1/traces", "june-tests", "always_on", 1.0))
    async with fake_server(traces=traces) as server:
        assert (await server.http.post("/v1/audio/speech", json=SPEECH)).status_code == 200
        async with asyncio.timeout(10):
            await traces.close()


@pytest.mark.parametrize("shared", [False, True])
async def test_the_fish_engines_process_tells_its_part_of_the_trace(tmp_path: Path, shared: bool) -> None:
    """`shared`: by several web workers, through the process that has the engine's handle."""
    async with (
        collecting() as collector,
        fish_engine(tmp_path, "--step", "0.002") as own,
        _perhaps_shared(own, tmp_path, shared) as engine,
    ):
        traces = OtelTraces(options(collector))
        request = traces.request("call", CALLER)
        speak = request.child("speak")
        chunks = under(speak, engine.synthesize(utterance(), written("Hello there.")))
        async with aclosing(chunks):
            async for _ in chunks:
                assert current() is NO_SPAN
        if shared:
            await asyncio.sleep(0.1)  # its spans come after its audio
        speak.end()
        request.end()
        await traces.close()
    turn = collector.named("turn")
    assert collector.parent(turn) == "speak"
    assert (attributes(turn)["june.frames"], attributes(turn)["june.stop"]) == (12, "limit")
    parts = [collector.named(name) for name in ("slot wait", "prefill", "frames")]
    assert {collector.parent(part) for part in parts} == {"turn"}
    for before, after in pairwise(parts):
        assert before.end_time_unix_nano == after.start_time_unix_nano
    assert turn.start_time_unix_nano <= parts[0].start_time_unix_nano
    assert parts[-1].end_time_unix_nano <= turn.end_time_unix_nano
    frames = parts[-1].end_time_unix_nano - parts[-1].start_time_unix_nano
    assert frames >= 11 * 0.002 * 1e9
    assert [event.name for event in turn.events] == ["first_audio"]


@asynccontextmanager
async def _perhaps_shared(engine: FishEngine, folder: Path, shared: bool) -> AsyncIterator[Engine]:
    if not shared:
        yield engine
        return
    admission = Admission(AdmissionRules(), Metrics().admission, lambda code: None)
    host, link = EngineHost([engine], admit_at(admission), MemoryLedger()), HostLink(str(folder / "host"))
    await host.start(str(folder / "host"))
    await link.start()
    try:
        yield hosted_engines(link)[0]
    finally:
        await link.close()
        await host.close()


async def test_a_step_that_fails_in_the_process_is_logged_there_with_its_trace(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with fish_engine(tmp_path, "--broken") as engine:
        with as_current(Unrecorded(CALLER)), pytest.raises(EngineFailed):
            async for _ in engine.synthesize(utterance(), written("Hello there.")):
                pass
    assert f"requests failed in step: 1 {CALLER.traceparent}" in capfd.readouterr().err


async def test_a_remote_server_gets_the_trace_and_its_own_span_in_it(tmp_path: Path) -> None:
    async with collecting() as collector, remote_server() as (address, seen):
        traces = OtelTraces(options(collector))
        client = RemoteClient(RemoteOptions(addresses=(address,), kind="openai"))
        request = traces.request("call", CALLER)
        with as_current(request):
            chunks = [chunk async for chunk in client.speak(Server(address), {"input": "x", "voice": "v"})]
        request.end()
        await client.close()
        await traces.close()
    assert chunks
    sent_on = read_traceparent(seen[0])
    assert sent_on is not None and sent_on.trace_id == CALLER.trace_id
    assert sent_on.span_id == collector.named("POST").span_id.hex()


@asynccontextmanager
async def remote_server() -> AsyncIterator[tuple[str, list[str]]]:
    """A server of the OpenAI kind, and the `traceparent` of each request."""
    seen: list[str] = []

    async def speak(request: web.Request) -> web.Response:
        seen.append(request.headers.get("traceparent", ""))
        return web.Response(body=b"\0\0" * 2400, content_type="audio/pcm")

    app = web.Application()
    app.router.add_post("/v1/audio/speech", speak)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/"), seen


async def test_without_a_tracer_a_callers_trace_is_passed_on_told_and_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("info", "json")
    async with fake_server(access_log=True) as server:
        reply = await server.http.post(
            "/v1/audio/speech", json=SPEECH, headers={"traceparent": CALLER.traceparent}
        )
        plain = await server.http.post("/v1/audio/speech", json=SPEECH)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert reply.headers["x-trace-id"] == CALLER.trace_id
    assert "x-trace-id" not in plain.headers
    assert [line.get("trace_id") for line in lines] == [CALLER.trace_id] * 2 + [None] * 2
    assert {line["request_id"] for line in lines[:2]} == {reply.headers["x-request-id"]}


def test_no_tracer_is_loaded_unless_traces_are_on() -> None:
    """What measures Redis's client imports a part of OpenTelemetry where it finds it: not for traces."""
    code = (
        "import sys, june_tts.cli.main, june_tts.bootstrap;"
        "assert not {'june_tts.telemetry.otel', 'opentelemetry.sdk.trace'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
