"""June's own API, request ids, keys, health and counts over a fake engine."""

import asyncio
import io
from collections.abc import Iterator
from typing import Any

import pytest
import soundfile
from tests.fake_server import FakeServer, fake_server
from tests.waiting import becomes

from june_tts.engine.fake import FakeEngine
from june_tts.errors import JuneError
from june_tts.http.errors import STATUS
from june_tts.text import speakable
from june_tts.types import Piece

pytestmark = pytest.mark.unit

URL = "/api/tts/synthesize"


async def speak(server: FakeServer, **fields: Any) -> Any:
    return await server.http.post(URL, json={"text": "Hello there.", **fields})


async def test_without_a_room_the_reply_is_the_audio() -> None:
    async with fake_server() as server:
        reply = await speak(server)
    assert reply.headers["content-type"] == "audio/wav"
    assert soundfile.info(io.BytesIO(reply.content)).channels == 1


async def test_a_room_without_livekit_says_what_to_configure() -> None:
    async with fake_server() as server:
        reply = await speak(server, room_name="lobby")
    assert reply.status_code == 503
    assert "LIVEKIT_URL" in reply.json()["detail"]


async def test_parameters_the_engine_has_change_the_speech() -> None:
    async with fake_server() as server:
        plain, hot, seeded, fast = [
            (await speak(server, **fields)).content
            for fields in ({}, {"temperature": 1.0}, {"seed": 3}, {"speed": 2.0})
        ]
    assert len({plain, hot, seeded, fast}) == 4


@pytest.mark.parametrize("fields", [{"top_p": 0.5}, {"repetition_penalty": 1.1}])
async def test_parameters_the_engine_lacks_are_refused_by_name(fields: dict[str, float]) -> None:
    async with fake_server() as server:
        reply = await speak(server, **fields)
    assert reply.status_code == 422
    assert reply.json()["error"]["param"] == next(iter(fields))


@pytest.mark.parametrize(
    ("language", "status"), [("en", 200), ("en-US", 200), ("de", 200), (None, 200), ("fr", 400), ("xx", 400)]
)
async def test_the_language_must_be_one_the_voice_speaks(language: str | None, status: int) -> None:
    async with fake_server() as server:
        assert (await speak(server, language=language)).status_code == status


async def test_the_request_id_comes_back_or_is_made() -> None:
    async with fake_server() as server:
        given = await server.http.get("/health", headers={"x-request-id": "abc-123"})
        bad = await server.http.get("/health", headers={"x-request-id": "two words"})
        refused = await speak(server, voice_id="nobody")
    assert given.headers["x-request-id"] == "abc-123"
    assert len(bad.headers["x-request-id"]) == 32
    assert refused.headers["x-request-id"]


async def test_a_key_guards_what_costs_and_leaves_health_open() -> None:
    async with fake_server(api_key="secret") as server:
        assert (await speak(server)).status_code == 401
        assert (await server.http.get("/v1/models")).json()["error"]["type"] == "authentication_error"
        assert (await server.http.get("/health/ready")).status_code == 200
        wrong = {"authorization": "Bearer guess"}
        assert (await server.http.get("/stats", headers=wrong)).status_code == 401
        right = {"authorization": "Bearer secret"}
        assert (await server.http.get("/stats", headers=right)).status_code == 200


async def test_one_stream_too_many_is_refused_with_a_time_to_come_back() -> None:
    async with fake_server(FakeEngine(step_seconds=0.05), max_streams=1) as server:
        first = asyncio.create_task(speak(server))
        await asyncio.sleep(0.1)
        second = await speak(server)
        assert (await first).status_code == 200
        third = await speak(server)
        metrics = (await server.http.get("/metrics")).text
    assert 'tts_refused_total{code="overloaded"} 1.0' in metrics
    assert second.status_code == 503
    assert int(second.headers["retry-after"]) >= 1
    assert third.status_code == 200


async def test_the_text_of_who_is_sent_away_is_not_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[str] = []

    def counted(text: str, *rest: Any, **how: Any) -> Iterator[Piece]:
        cut.append(text)
        return speakable(text, *rest, **how)

    async with fake_server(FakeEngine(step_seconds=0.05), max_streams=1) as server:
        monkeypatch.setattr(server.services.synthesizer, "_speakable", counted)
        first = asyncio.create_task(speak(server, text="The first one."))
        await becomes(lambda: server.services.admission.active == 1)
        assert (await speak(server, text="The second one.")).status_code == 503
        assert (await first).status_code == 200
    assert cut == ["The first one."]


async def test_ready_turns_off_while_draining_and_new_streams_are_refused() -> None:
    async with fake_server() as server:
        server.services.admission.draining = True
        assert (await server.http.get("/health/ready")).status_code == 503
        assert (await speak(server)).status_code == 503
        assert (await server.http.get("/health/live")).status_code == 200


async def test_every_count_moves_when_the_thing_it_counts_happens() -> None:
    async with fake_server() as server:
        before = (await server.http.get("/metrics")).text
        await speak(server)
        await speak(server, voice_id="nobody")
        after = (await server.http.get("/metrics")).text
        stats = (await server.http.get("/stats")).json()
    assert "tts_requests_total{" not in before
    for line in (
        'tts_requests_total{status="success",voice_id="fake"} 1.0',
        'tts_latency_seconds_count{voice_id="fake"} 1.0',
        'tts_ttfa_seconds_count{engine="fake"} 1.0',
        'tts_rtf_count{engine="fake"} 1.0',
        "tts_text_length_chars_count 1.0",
        'tts_refused_total{code="voice_not_found"} 1.0',
        "tts_active_requests 0.0",
    ):
        assert line in after
    assert 'tts_audio_seconds_total{engine="fake"}' in after
    assert 'tts_chunk_gap_seconds_count{engine="fake"}' in after
    assert (stats["succeeded"], stats["refused"], stats["active_requests"]) == (1, 1, 0)
    assert stats["audio_seconds"] > 0


async def test_health_has_the_guides_fields() -> None:
    async with fake_server() as server:
        health = (await server.http.get("/health")).json()
    assert health["status"] == "ok"
    assert {"timestamp", "uptime_seconds", "services", "resources", "model", "metrics"} <= set(health)
    expected = {"engines": {"fake": True}, "processes": {}, "livekit": False, "database": True}
    assert (health["services"], health["rooms"]) == (expected, None)


async def test_the_openapi_document_has_examples_and_needs_no_internet() -> None:
    async with fake_server() as server:
        document = (await server.http.get("/openapi.json")).json()
        page = (await server.http.get("/docs")).text
        script = await server.http.get("/static-offline-docs/swagger-ui-bundle.js")
    assert document["components"]["schemas"]["SpeechBody"]["examples"]
    assert "https://" not in page
    assert script.status_code == 200


async def test_unknown_paths_and_methods_answer_in_the_apis_shape() -> None:
    async with fake_server() as server:
        missing = await server.http.get("/v1/nothing")
        method = await server.http.put("/api/voices")
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "invalid_request_error")
    assert (method.status_code, method.json()["detail"]) == (405, "Method Not Allowed")


def test_every_error_code_has_a_status() -> None:
    def codes(error: type[JuneError]) -> set[str]:
        return {error.code}.union(*(codes(kind) for kind in error.__subclasses__()))

    assert codes(JuneError) == set(STATUS)
