"""Batches: results as they end, one item's failure alone, no work left for a client that went away."""

import asyncio
import base64
import email
import io
import json
from collections.abc import AsyncGenerator, AsyncIterable
from email.message import Message
from typing import Any

import httpx
import pytest
import soundfile
from tests.fake_server import FakeServer, fake_server
from tests.live_server import becomes, live_server

from june_tts.engine.fake import SECONDS_PER_CHARACTER, FakeEngine
from june_tts.errors import EngineFailed
from june_tts.service.batch import BatchItem, BatchRules
from june_tts.service.terms import current_terms
from june_tts.types import AudioChunk, Piece, SpeechRequest, Utterance

pytestmark = pytest.mark.unit

URL = "/v1/batch"


class Tiring(FakeEngine):
    """Slower for longer texts; fails at those with a bang; says on which terms it was asked."""

    def __init__(self) -> None:
        super().__init__(step_seconds=0.001)
        self.priorities: set[str] = set()
        self.at_once = 0

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        self.priorities.add(current_terms().priority)
        async for chunk in super().synthesize(utterance, pieces):
            self.at_once = max(self.at_once, self.active)
            if any(said is utterance and "bang" in text for said, text in self.spoken):
                raise EngineFailed("the engine was told to fail")
            yield chunk


async def lines(server: FakeServer, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    reply = await server.http.post(URL, json={"items": items})
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in reply.text.splitlines()]


def seconds(audio: bytes) -> float:
    return float(soundfile.info(io.BytesIO(audio)).duration)


async def test_each_item_is_spoken_as_it_asks_for_and_comes_as_a_whole_file() -> None:
    async with fake_server() as server:
        *found, last = await lines(
            server,
            [
                {"id": "one", "text": "Hello there."},
                {"text": "Hello there.", "speed": 2.0, "audio_format": "flac"},
                {"id": "three", "text": "Five.", "audio_format": "mp3", "sample_rate": 16_000},
            ],
        )
    by_id = {one["id"]: one for one in found}
    assert set(by_id) == {"one", "1", "three"}
    assert last == {"status": "complete", "succeeded": 3, "failed": 0}
    audio = {name: base64.b64decode(one["audio"], validate=True) for name, one in by_id.items()}
    said = len("Hello there.") * SECONDS_PER_CHARACTER
    assert seconds(audio["one"]) == pytest.approx(said, abs=0.01)
    assert seconds(audio["1"]) == pytest.approx(said / 2, abs=0.01)
    assert by_id["one"]["audio_duration_seconds"] == pytest.approx(said, abs=0.01)
    assert [by_id[name]["sample_rate"] for name in ("one", "three")] == [24_000, 16_000]
    # the length is stated, as it is known here
    assert int.from_bytes(audio["one"][40:44], "little") == len(audio["one"]) - 44


async def test_an_item_is_the_same_speech_as_a_request_of_its_own() -> None:
    async with fake_server() as server:
        wish = {"text": "Hello there. This is more.", "audio_format": "pcm", "seed": 3}
        alone = await server.http.post("/api/tts/synthesize", json=wish)
        found = (await lines(server, [wish]))[0]
    assert base64.b64decode(found["audio"]) == alone.content


async def test_results_come_as_they_end_and_not_in_order() -> None:
    async with fake_server(Tiring()) as server:
        found = await lines(server, [{"id": "long", "text": "word " * 60}, {"id": "short", "text": "Five."}])
    assert [one["id"] for one in found[:-1]] == ["short", "long"]


async def test_one_items_failure_has_the_error_that_it_would_have_alone_and_is_no_others() -> None:
    bad: list[dict[str, Any]] = [
        {"id": "gone", "text": "Hello.", "voice_id": "nobody"},
        {"id": "empty", "text": "***"},
        {"id": "bang", "text": "bang"},
        {"id": "rate", "text": "Hello.", "audio_format": "ulaw", "sample_rate": 44_100},
        {"id": "top", "text": "Hello.", "top_p": 0.5},
    ]
    async with fake_server(Tiring()) as server:
        *found, last = await lines(server, [*bad, {"id": "good", "text": "Hello."}])
        by_id = {one["id"]: one for one in found}
        for item in bad:
            fields = {name: value for name, value in item.items() if name != "id"}
            alone = await server.http.post("/api/tts/synthesize", json=fields)
            told = by_id[item["id"]]
            assert (told["http_status"], told["error"]) == (alone.status_code, alone.json()["error"]), item
    assert last == {"status": "complete", "succeeded": 1, "failed": 5}
    assert by_id["good"]["status"] == "success"


async def test_parts_have_the_audio_as_it_is() -> None:
    async with fake_server() as server:
        items = [{"id": "a", "text": "Hello."}, {"id": "b", "text": "Hello.", "voice_id": "nobody"}]
        reply = await server.http.post(
            URL, json={"items": items}, headers={"accept": "application/x-ndjson;q=0.5, multipart/mixed"}
        )
    kind = reply.headers["content-type"]
    assert kind.startswith("multipart/mixed; boundary=")
    message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + reply.content)
    found = message.get_payload()
    assert isinstance(found, list)
    parts = [part for part in found if isinstance(part, Message)]
    by_id = {part["Content-ID"]: part for part in parts}
    assert set(by_id) == {"<a>", "<b>", None}
    audio = by_id["<a>"].get_payload(decode=True)
    assert isinstance(audio, bytes)
    assert (by_id["<a>"].get_content_type(), int(by_id["<a>"]["Content-Length"])) == ("audio/wav", len(audio))
    assert seconds(audio) == pytest.approx(float(by_id["<a>"]["X-Audio-Duration-Seconds"]), abs=0.01)
    error = json.loads(str(by_id["<b>"].get_payload()))
    assert (error["status"], error["error"]["code"]) == ("error", "voice_not_found")
    assert json.loads(str(parts[-1].get_payload()))["failed"] == 1


@pytest.mark.parametrize(
    ("rules", "items", "said"),
    [
        (BatchRules(items=2), [{"text": "a"}] * 3, "JUNE_BATCH_ITEMS"),
        (BatchRules(characters=10), [{"text": "Hello."}] * 2, "JUNE_BATCH_CHARS"),
        (BatchRules(), [{"id": "x", "text": "a"}, {"id": "x", "text": "b"}], "'x' is there twice"),
        (BatchRules(), [{"text": "a"}, {"id": "0", "text": "b"}], "'0' is there twice"),
        (BatchRules(), [], "items"),
        (BatchRules(), [{"text": "a", "room_name": "lobby"}], "room_name"),
        (BatchRules(), [{"text": "a", "id": "line\nbreak"}], "id"),
        (BatchRules(), [{"text": "a"}, {"text": "a", "speed": 9}], "items.1.speed is 9"),
    ],
)
async def test_a_batch_that_is_wrong_as_a_whole_is_refused_before_any_work(
    rules: BatchRules, items: list[dict[str, Any]], said: str
) -> None:
    async with fake_server(batch=rules) as server:
        reply = await server.http.post(URL, json={"items": items})
    assert reply.status_code in (400, 413)
    error = reply.json()["error"]
    assert said in error["message"] and error["param"] == "items"
    assert not server.engine.spoken


@pytest.mark.parametrize("body", [{"items": {"text": "secret"}}, {"items": [{"text": {"a": "secret"}}]}])
async def test_a_refusal_repeats_no_text(body: Any) -> None:
    async with fake_server() as server:
        reply = await server.http.post(URL, json=body)
    assert reply.status_code == 400
    assert "secret" not in reply.text


async def test_an_item_whose_audio_is_too_large_fails_alone() -> None:
    async with fake_server(batch=BatchRules(audio_bytes=100_000)) as server:
        *found, _ = await lines(server, [{"id": "long", "text": "word " * 60}, {"id": "b", "text": "Five."}])
    by_id = {one["id"]: one for one in found}
    assert by_id["long"]["error"]["code"] == "text_too_long"
    assert by_id["b"]["status"] == "success"


async def test_items_run_behind_everybody_else_and_a_few_at_a_time() -> None:
    engine = Tiring()
    async with fake_server(engine, batch=BatchRules(at_once=2)) as server:
        await lines(server, [{"text": f"Number {n} is spoken."} for n in range(8)])
    assert engine.priorities == {"batch"}
    assert engine.at_once == 2


async def test_where_every_place_is_taken_items_wait_for_one() -> None:
    async with fake_server(max_streams=1, batch=BatchRules(at_once=3)) as server:
        *found, last = await lines(server, [{"text": f"Number {n}."} for n in range(3)])
    assert last["succeeded"] == 3, found


async def test_one_batch_too_many_is_told_to_come_back() -> None:
    async with fake_server(FakeEngine(step_seconds=0.01), batch=BatchRules(batches=1)) as server:
        first = asyncio.create_task(lines(server, [{"text": "Hello there."}]))
        await becomes(lambda: server.engine.active)
        second = await server.http.post(URL, json={"items": [{"text": "Five."}]})
        assert (second.status_code, second.json()["error"]["code"]) == (503, "overloaded")
        assert second.headers["retry-after"]
        assert (await first)[-1]["succeeded"] == 1
        assert (await lines(server, [{"text": "Five."}]))[-1]["succeeded"] == 1


async def test_a_client_that_hangs_up_ends_what_is_left() -> None:
    async with live_server(FakeEngine(step_seconds=0.02)) as server:
        items = [{"text": "Five."}, *({"text": "word " * 100} for _ in range(5))]
        async with httpx.AsyncClient() as http:
            async with http.stream("POST", f"{server.url}{URL}", json={"items": items}) as reply:
                first = await anext(aiter(reply.aiter_lines()))
                assert json.loads(first)["id"] == "0"
        await becomes(lambda: not server.fake.engine.speaking)
        begun = len({utterance.request_id for utterance, _ in server.fake.engine.spoken})
        assert begun < len(items)
        metrics = (await server.fake.http.get("/metrics")).text
    assert 'tts_batch_items_total{status="cancelled"} 5.0' in metrics
    assert 'tts_batch_items_total{status="success"} 1.0' in metrics


async def test_a_stopping_server_begins_no_batch() -> None:
    async with fake_server() as server:
        server.services.admission.draining = True
        reply = await server.http.post(URL, json={"items": [{"text": "Five."}]})
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "overloaded")


async def test_closing_the_results_leaves_nothing_running() -> None:
    async with fake_server(FakeEngine(step_seconds=0.01)) as server:
        before = asyncio.all_tasks()
        items = [BatchItem(str(n), SpeechRequest(str(n), "word " * 30, "fake"), "pcm") for n in range(6)]
        results = server.services.batches.speak(items)
        assert (await anext(results)).error is None
        await results.aclose()
        assert not server.engine.speaking
        assert asyncio.all_tasks() == before
