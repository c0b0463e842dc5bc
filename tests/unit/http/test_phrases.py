"""Speech that was made before, over HTTP: what is answered from it, and what never is."""

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.contract.voices import new_voice
from tests.fake_server import FakeServer, fake_server
from tests.live_server import becomes

from june_tts.engine.fake import FakeEngine
from june_tts.store.memory import MemoryVoiceStore
from june_tts.types import ClonedVoice, KeyLimits, NewVoice

pytestmark = pytest.mark.unit

URL = "/v1/audio/speech"
TEXT = "Hello there, this is a sentence of words."
SECONDS = 2.4
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    (URL, {"input": TEXT, "response_format": "wav"}),
    (URL, {"input": TEXT, "response_format": "mp3", "stream_format": "sse"}),
    ("/api/tts/synthesize", {"text": TEXT, "audio_format": "opus"}),
    ("/v1/tts", {"text": TEXT, "format": "mp3"}),
    ("/v1/tts", {"text": TEXT, "format": "wav", "streaming": False}),
    ("/v1/tts", {"text": TEXT, "format": "wav", "prosody": {"volume": -6}}),
    ("/v1/tts/stream/with-timestamp", {"text": TEXT, "format": "pcm"}),
    ("/v1/text-to-speech/fake", {"text": TEXT}),
    ("/v1/text-to-speech/fake/stream?output_format=pcm_24000", {"text": TEXT}),
    ("/v1/text-to-speech/fake/with-timestamps", {"text": TEXT}),
    ("/v1/text-to-speech/fake/stream/with-timestamps", {"text": TEXT}),
]


async def speak(server: FakeServer, **fields: Any) -> Any:
    return await server.http.post(URL, json={"input": TEXT, "voice": "fake", **fields})


async def cached(server: FakeServer, times: int = 3, **fields: Any) -> list[str | None]:
    """What each of so many answers in a row tells of where it came from."""
    return [(await speak(server, **fields)).headers.get("x-june-cache") for _ in range(times)]


def streams(server: FakeServer) -> int:
    """How often the engine was asked."""
    return len({utterance.request_id for utterance, _ in server.engine.spoken})


def metric(server: FakeServer, name: str, labels: Mapping[str, str] | None = None) -> float:
    return server.services.metrics.registry.get_sample_value(name, dict(labels or {})) or 0.0


async def add(server: FakeServer, voice: NewVoice) -> None:
    await server.services.store.add(voice)


async def test_from_its_third_time_on_a_phrase_comes_from_memory() -> None:
    async with fake_server() as server:
        replies = [await speak(server, response_format="wav") for _ in range(5)]
        assert streams(server) == 2
    assert len({reply.content for reply in replies}) == 1
    told = [reply.headers.get("x-june-cache") for reply in replies]
    assert told == [None, None, "hit", "hit", "hit"]


@pytest.mark.parametrize(("path", "body"), REQUESTS)
async def test_every_endpoint_answers_the_same_from_memory(path: str, body: dict[str, Any]) -> None:
    async with fake_server() as server:
        _, made, *again = [await server.http.post(path, json=body) for _ in range(4)]
        assert streams(server) == 2
    assert made.status_code == 200, made.text
    assert made.content
    # kept in one piece, a stream's events may be longer; what they say is the same
    for reply in again:
        assert _told(reply) == _told(made)
        assert reply.headers["x-june-cache"] == "hit"
        assert reply.headers["x-request-id"] != made.headers["x-request-id"]
        assert _shape(reply) == _shape(made)


def _told(reply: Any) -> bytes:
    if reply.headers["content-type"].startswith("text/event-stream") and b"speech.audio" in reply.content:
        events = [json.loads(line.removeprefix("data: ")) for line in reply.text.split("\n\n") if line]
        audio = b"".join(base64.b64decode(e["audio"]) for e in events if "audio" in e)
        return audio + json.dumps(events[-1]).encode()
    return bytes(reply.content)


def _shape(reply: Any) -> dict[str, str]:
    # ids and shares differ by request
    apart = ("x-request-id", "x-june-cache")
    return {name: value for name, value in reply.headers.items() if name not in apart}


async def test_other_words_voices_formats_or_parameters_are_other_phrases() -> None:
    engine = FakeEngine(voices=("fake", "other"))
    async with fake_server(engine) as server:
        await cached(server)
        before = streams(server)
        for fields in (
            {"input": TEXT + " "},
            {"voice": "other"},
            {"response_format": "wav"},
            {"speed": 1.1},
            {"language": "de-DE"},
            {"sample_rate": 16_000},
        ):
            assert await cached(server, 1, **fields) == [None], fields
        assert streams(server) == before + 6
        seeded = {"text": TEXT, "voice_id": "fake", "audio_format": "mp3", "seed": 5}
        assert "x-june-cache" not in (await server.http.post("/api/tts/synthesize", json=seeded)).headers


async def test_another_name_of_the_voice_speaks_the_same_phrase() -> None:
    async with fake_server() as server:
        await cached(server)
        assert await cached(server, 1, voice="alloy") == ["hit"]
        assert await cached(server, 1, voice={"id": "default"}) == ["hit"]


async def test_a_long_phrase_goes_out_in_parts_and_is_whole() -> None:
    text = "So many words that there is a lot of sound. " * 8
    async with fake_server(phrase_bytes=16 << 20, longest_phrase=8 << 20) as server:
        replies = [await speak(server, input=text, response_format="wav") for _ in range(4)]
    assert len(replies[0].content) > 1 << 19
    assert [reply.content for reply in replies[1:]] == [replies[0].content] * 3
    assert replies[3].headers["x-june-cache"] == "hit"


async def test_what_is_drawn_anew_is_not_kept() -> None:
    async with fake_server(FakeEngine(repeats="never")) as server:
        assert await cached(server, 4) == [None] * 4


async def test_what_is_drawn_anew_is_kept_where_the_settings_say_so() -> None:
    async with fake_server(FakeEngine(repeats="never"), random_phrases=True) as server:
        assert await cached(server) == [None, None, "hit"]


@pytest.mark.parametrize(("fields", "kept"), [({"seed": 7}, True), ({"temperature": 0}, True), ({}, False)])
async def test_a_seed_or_no_temperature_makes_a_phrase_one_that_is_kept(
    fields: dict[str, Any], kept: bool
) -> None:
    body = {"text": TEXT, "voice_id": "fake", **fields}
    async with fake_server(FakeEngine(repeats="seeded")) as server:
        replies = [await server.http.post("/api/tts/synthesize", json=body) for _ in range(3)]
    assert ("x-june-cache" in replies[2].headers) is kept


async def test_recordings_that_come_with_a_request_leave_nothing_behind() -> None:
    reference = {"audio": base64.b64encode(b"speech").decode(), "text": "Hi."}
    body = {"text": TEXT, "format": "wav", "references": [reference], "seed": 1}
    async with fake_server(FakeEngine(clones=True)) as server:
        replies = [await server.http.post("/v1/tts", json=body) for _ in range(3)]
        assert [reply.status_code for reply in replies] == [200] * 3
        assert metric(server, "tts_phrase_entries") == 0


async def test_a_stream_that_failed_is_not_kept() -> None:
    async with fake_server(FakeEngine(fail_at=2)) as server:
        for _ in range(3):
            # the transport's way to say that the reply has no end
            with pytest.raises(AssertionError):
                await speak(server, response_format="pcm")
        assert metric(server, "tts_phrase_entries") == 0


async def test_a_stream_whose_listener_left_is_not_kept() -> None:
    async with fake_server(FakeEngine(step_seconds=0.01)) as server:
        await speak(server)
        for _ in range(2):
            asking = asyncio.create_task(speak(server))
            await becomes(lambda: server.engine.active)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        assert metric(server, "tts_phrase_entries") == 0
        assert await cached(server, 2) == [None, "hit"]


async def test_two_at_once_are_both_spoken_and_kept_once() -> None:
    async with fake_server(FakeEngine(step_seconds=0.002)) as server:
        await speak(server)
        one, two = await asyncio.gather(speak(server), speak(server))
        assert one.content == two.content
        assert streams(server) == 3
        assert metric(server, "tts_phrase_stored_total") == 1
        assert await cached(server, 1) == ["hit"]


async def test_a_phrase_that_is_too_large_is_not_kept() -> None:
    async with fake_server(longest_phrase=10_000) as server:
        assert await cached(server, 3, response_format="wav") == [None] * 3
        assert metric(server, "tts_phrase_entries") == 0


async def test_nothing_is_kept_where_there_is_no_room() -> None:
    async with fake_server(longest_phrase=0) as server:
        assert await cached(server, 4) == [None] * 4
        assert metric(server, "tts_phrase_misses_total") == 0


async def test_a_removed_voice_is_not_spoken_from_memory_and_leaves_nothing_there() -> None:
    async with fake_server(FakeEngine(clones=True)) as server:
        await add(server, new_voice("ada"))
        assert await cached(server, voice="ada", language="de") == [None, None, "hit"]
        assert (await server.http.delete("/api/voices/ada")).status_code == 200
        assert metric(server, "tts_phrase_entries") == 0
        assert metric(server, "tts_phrase_bytes") == 0
        reply = await speak(server, voice="ada", language="de")
    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "voice_not_found")


async def test_a_voice_that_another_program_removed_is_not_spoken_from_memory() -> None:
    async with fake_server(FakeEngine(clones=True)) as server:
        await add(server, new_voice("ada"))
        await cached(server, voice="ada", language="de")
        await server.services.store.remove("ada")
        assert (await speak(server, voice="ada", language="de")).status_code == 404


async def test_a_voice_that_was_replaced_is_made_anew() -> None:
    async with fake_server(FakeEngine(clones=True)) as server:
        await add(server, new_voice("ada"))
        await cached(server, voice="ada", language="de")
        await server.services.store.remove("ada")
        await add(server, replace(new_voice("ada"), audio=b"another recording"))
        assert await cached(server, voice="ada", language="de") == [None, None, "hit"]


async def test_a_voice_removed_while_it_speaks_leaves_nothing_behind() -> None:
    async with fake_server(FakeEngine(clones=True, step_seconds=0.005)) as server:
        await add(server, new_voice("ada"))
        await speak(server, voice="ada", language="de")
        asking = asyncio.create_task(speak(server, voice="ada", language="de"))
        await becomes(lambda: server.engine.active)
        await server.http.delete("/api/voices/ada")
        assert (await asking).status_code == 200
        assert metric(server, "tts_phrase_entries") == 0


async def test_a_server_that_is_stopping_refuses_what_it_has_too() -> None:
    async with fake_server() as server:
        await cached(server)
        server.services.admission.draining = True
        reply = await speak(server)
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "overloaded")
    assert "retry-after" in reply.headers


async def test_a_phrase_needs_no_place() -> None:
    async with fake_server(max_streams=1) as server:
        await cached(server)
        async with server.services.admission.place("fake", 1):
            assert (await speak(server, input="Something else.")).status_code == 503
            assert await cached(server, 1) == ["hit"]


async def test_a_phrase_counts_like_any_other_utterance() -> None:
    async with fake_server() as server:
        await cached(server, 5)
        labels = {"voice_id": "fake", "status": "success"}
        assert metric(server, "tts_requests_total", labels) == 5
        assert metric(server, "tts_text_length_chars_count") == 5
        assert metric(server, "tts_phrase_hits_total", {"level": "memory"}) == 3
        assert metric(server, "tts_phrase_misses_total") == 2
        assert metric(server, "tts_phrase_stored_total") == 1
        saved = metric(server, "tts_phrase_saved_seconds_total", {"level": "memory"})
        assert saved == pytest.approx(3 * SECONDS, rel=0.05)
        assert metric(server, "tts_audio_seconds_total", {"engine": "fake"}) == pytest.approx(saved / 3 * 2)
        assert metric(server, "tts_phrase_entries") == 1
        assert metric(server, "tts_phrase_bytes") > 10_000
        stats = (await server.http.get("/stats")).json()
        assert stats["total_requests"] == stats["succeeded"] == 5
        assert stats["characters"] == 5 * len(TEXT)


async def test_the_least_asked_for_makes_room_and_what_was_asked_once_does_not_take_it() -> None:
    async with fake_server(phrase_bytes=60_000) as server:
        assert await cached(server, 3, input="The first one.") == [None, None, "hit"]
        for number in range(20):
            await speak(server, input=f"Said only once, number {number}.")
        assert await cached(server, 1, input="The first one.") == ["hit"]
        for number in range(4):
            await cached(server, 2, input=f"Said more than once, number {number}.")
        assert await cached(server, 1, input="The first one.") == [None]
        assert metric(server, "tts_phrase_bytes") <= 60_000


async def test_a_text_that_is_too_long_by_now_is_refused() -> None:
    async with fake_server() as server:
        await cached(server)
        server.services.synthesizer.limit_text(len(TEXT) - 1)
        reply = await speak(server)
        assert (reply.status_code, reply.json()["error"]["code"]) == (413, "text_too_long")


async def test_who_has_had_his_share_is_refused_what_is_there_too() -> None:
    limits = KeyLimits(characters_per_day=4 * len(TEXT))
    async with fake_server(api_key="secret", limits_of_keys=limits) as server:
        server.http.headers["authorization"] = "Bearer secret"
        made = await server.http.post("/api/admin/keys", json={"name": "x", "scopes": ["speak"]})
        server.http.headers["authorization"] = f"Bearer {made.json()['key']}"
        replies = [await speak(server) for _ in range(5)]
    assert [reply.status_code for reply in replies] == [200] * 4 + [429]
    assert replies[3].headers["x-june-cache"] == "hit"


async def test_a_voice_that_nobody_has_is_asked_for_once_and_refused_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    get = MemoryVoiceStore.get

    async def counted(store: MemoryVoiceStore, voice_id: str) -> ClonedVoice:
        asked.append(voice_id)
        return await get(store, voice_id)

    monkeypatch.setattr(MemoryVoiceStore, "get", counted)
    async with fake_server() as server:
        reply = await speak(server, voice="nobody")
        assert (reply.status_code, reply.json()["error"]["code"]) == (404, "voice_not_found")
        assert asked == ["nobody"]
        refused = server.services.metrics.registry.get_sample_value(
            "tts_refused_total", {"code": "voice_not_found"}
        )
    assert refused == 1
