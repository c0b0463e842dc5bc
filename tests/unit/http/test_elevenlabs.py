"""ElevenLabs' HTTP API over a fake engine."""

import base64
import io
import json
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import av
import httpx
import numpy as np
import pytest
import soundfile
from tests.contract.voices import new_voice
from tests.fake_server import FakeServer, fake_server

from june_tts.engine.fake import SECONDS_PER_CHARACTER, FakeEngine
from june_tts.http.elevenlabs_formats import OUTPUTS
from june_tts.types import AudioChunk, Piece, Utterance, WordTime

pytestmark = pytest.mark.unit

URL = "/v1/text-to-speech/fake"
TEXT = "Hello there, this is a sentence of words."
SECONDS = len(TEXT) * SECONDS_PER_CHARACTER


class Timing(FakeEngine):
    """Says when each word is heard, as the engines with durations do."""

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        async for piece in pieces:
            for at, word in enumerate(piece.text.split()):
                samples = np.full(2400, 0.1, np.float32)
                yield AudioChunk(samples, 24_000, (WordTime(word, at * 0.1, at * 0.1 + 0.08),))


class Timeless(FakeEngine):
    """Knows no times."""

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        async with aclosing(super().synthesize(utterance, pieces)) as chunks:
            async for chunk in chunks:
                yield replace(chunk, words=())


async def speak(
    server: FakeServer, path: str = "", format: str = "pcm_24000", **fields: Any
) -> httpx.Response:
    return await server.http.post(
        f"{URL}{path}", params={"output_format": format}, json={"text": TEXT, **fields}
    )


def lines(reply: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in reply.text.splitlines()]


@pytest.mark.parametrize("path", ["", "/stream"])
async def test_the_reply_is_the_audio_in_the_format_asked_for(path: str) -> None:
    async with fake_server() as server:
        reply = await speak(server, path, "pcm_16000")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("audio/pcm")
    assert len(reply.content) / 2 / 16_000 == pytest.approx(SECONDS, rel=0.15)


async def test_without_an_output_format_it_is_mp3_at_44100_hz_and_128_kbit() -> None:
    async with fake_server() as server:
        reply = await server.http.post(URL, json={"text": TEXT})
    with av.open(io.BytesIO(reply.content), "r") as file:
        stream = file.streams.audio[0]
        assert (stream.codec_context.name, stream.rate) == ("mp3float", 44_100)
        assert stream.bit_rate == 128_000


@pytest.mark.parametrize("name", [name for name in OUTPUTS if name[:3] in ("mp3", "opu", "wav")])
async def test_every_container_opens_in_a_player_and_has_the_rate_of_its_name(name: str) -> None:
    async with fake_server() as server:
        reply = await speak(server, format=name)
    with av.open(io.BytesIO(reply.content), "r") as file:
        frames = list(file.decode(audio=0))
    assert frames[0].sample_rate == int(name.split("_")[1])
    assert sum(f.samples for f in frames) / frames[0].sample_rate == pytest.approx(SECONDS, rel=0.15)


@pytest.mark.parametrize("name", ["ulaw_8000", "alaw_8000"])
async def test_telephony_has_a_byte_for_each_of_8000_samples_a_second(name: str) -> None:
    async with fake_server() as server:
        reply = await speak(server, format=name)
    assert len(reply.content) / 8_000 == pytest.approx(SECONDS, rel=0.15)


async def test_more_bits_are_more_bytes() -> None:
    async with fake_server() as server:
        for codec in ("mp3_44100", "opus_48000"):
            sizes = [len((await speak(server, format=f"{codec}_{k}")).content) for k in (32, 64, 192)]
            assert sizes[0] < 0.7 * sizes[1] < 0.5 * sizes[2], codec


async def test_an_output_format_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    async with fake_server() as server:
        reply = await speak(server, format="mp3_48000_320")
    detail = reply.json()["detail"]
    assert reply.status_code == 400
    assert (detail["status"], detail["param"]) == ("invalid_request", "output_format")
    assert "mp3_48000_320" in detail["message"] and "mp3_44100_192" in detail["message"]


async def test_speed_is_a_voice_setting() -> None:
    async with fake_server() as server:
        slow = await speak(server)
        fast = await speak(server, voice_settings={"speed": 2.0, "stability": 0.5, "use_speaker_boost": True})
    assert len(fast.content) == pytest.approx(len(slow.content) / 2, rel=0.1)


async def test_the_seed_changes_a_voice_that_is_drawn_and_is_left_out_for_others() -> None:
    class Certain(FakeEngine):
        def capabilities(self) -> Any:
            return replace(super().capabilities(), parameters=frozenset())

    async with fake_server() as server:
        assert (await speak(server, seed=1)).content != (await speak(server, seed=2)).content
    async with fake_server(Certain()) as server:
        assert (await speak(server, seed=4_294_967_295)).status_code == 200


async def test_normalization_can_be_turned_off() -> None:
    async with fake_server() as server:
        for asked in ("on", "off"):
            await speak(server, text="It is 5 now.", apply_text_normalization=asked)
        assert [text for _, text in server.engine.spoken] == ["It is five now.", "It is 5 now."]


async def test_hints_and_fields_of_later_releases_are_taken() -> None:
    hints: dict[str, Any] = {
        "model_id": "eleven_flash_v2_5",
        "previous_text": "Before.",
        "next_text": "After.",
        "previous_request_ids": ["a"],
        "next_request_ids": [],
        "use_pvc_as_ivc": False,
        "apply_language_text_normalization": False,
        "pronunciation_dictionary_locators": [],
        "audio_effects": None,
        "language_code": "en",
        "of_a_later_release": 1,
    }
    async with fake_server() as server:
        reply = await speak(server, **hints)
        assert reply.content == (await speak(server)).content


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pronunciation_dictionary_locators", [{"pronunciation_dictionary_id": "a", "version_id": "b"}]),
        ("audio_effects", {"pan": 0.5}),
        ("language_code", "fr"),
        ("seed", -1),
        ("seed", "1"),
        ("model_id", "gpt-9"),
        ("voice_settings", {"speed": 9}),
        ("voice_settings", {"stability": "low"}),
        ("apply_text_normalization", "maybe"),
        ("text", ""),
        ("text", None),
    ],
)
async def test_what_cannot_be_done_is_refused_by_its_fields_name(field: str, value: object) -> None:
    async with fake_server() as server:
        reply = await server.http.post(URL, json={"text": TEXT, field: value})
    assert 400 <= reply.status_code < 500
    body = reply.json()
    assert set(body) == {"detail"} and set(body["detail"]) == {"status", "message", "param"}
    assert body["detail"]["param"] == field


async def test_an_unknown_voice_is_not_found() -> None:
    async with fake_server() as server:
        reply = await server.http.post("/v1/text-to-speech/nobody/stream", json={"text": TEXT})
    assert reply.status_code == 404
    assert reply.json()["detail"]["status"] == "voice_not_found"


@pytest.mark.parametrize("path", [URL, f"{URL}/stream/with-timestamps", "/v1/voices", "/v2/voices"])
async def test_the_key_may_come_as_xi_api_key_or_as_a_bearer_token(path: str) -> None:
    async with fake_server(api_key="sesame") as server:

        async def status(**headers: str) -> int:
            method = "GET" if path.endswith("voices") else "POST"
            body = None if method == "GET" else {"text": TEXT}
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            return (await server.http.request(method, path, json=body, headers=sent)).status_code

        assert await status(xi_api_key="sesame") == 200
        assert await status(authorization="Bearer sesame") == 200
        assert await status(xi_api_key="sesame", authorization="Bearer wrong") == 200
        assert await status(xi_api_key="wrong") == 401
        assert await status(authorization="sesame") == 401
        assert await status() == 401


async def test_timestamps_give_each_character_its_time() -> None:
    async with fake_server(Timing()) as server:
        reply = await speak(server, "/with-timestamps", text="It is so.")
        plain = await speak(server, text="It is so.")
    found = reply.json()
    assert base64.b64decode(found["audio_base64"]) == plain.content
    aligned = found["alignment"]
    assert "".join(aligned["characters"]) == "It is so. "
    assert aligned["character_start_times_seconds"] == [
        0,
        0.04,
        0.08,
        0.1,
        0.14,
        0.18,
        0.2,
        0.227,
        0.253,
        0.28,
    ]
    assert aligned["character_end_times_seconds"] == [
        *(0.04, 0.08, 0.08, 0.14, 0.18, 0.18, 0.227, 0.253, 0.28, 0.28)
    ]
    assert found["normalized_alignment"] == aligned


async def test_a_stream_with_timestamps_is_lines_that_together_say_the_same() -> None:
    async with fake_server(Timing()) as server:
        whole = (await speak(server, "/with-timestamps")).json()
        found = lines(await speak(server, "/stream/with-timestamps"))
    assert len(found) > 2
    audio = b"".join(base64.b64decode(line["audio_base64"]) for line in found)
    assert audio == base64.b64decode(whole["audio_base64"])
    for name, values in whole["alignment"].items():
        assert [one for line in found for one in (line["alignment"] or {name: []})[name]] == values


@pytest.mark.parametrize("path", ["/with-timestamps", "/stream/with-timestamps"])
async def test_an_engine_that_knows_no_times_gives_no_alignment(path: str) -> None:
    async with fake_server(Timeless()) as server:
        found = lines(await speak(server, path))
    assert all(line["alignment"] is None and line["normalized_alignment"] is None for line in found)
    assert b"".join(base64.b64decode(line["audio_base64"]) for line in found)


async def test_a_wav_states_its_rate() -> None:
    async with fake_server() as server:
        reply = await speak(server, format="wav_22050")
    assert soundfile.info(io.BytesIO(reply.content)).samplerate == 22_050


async def test_the_voices_are_those_of_the_catalogue() -> None:
    async with fake_server() as server:
        await server.services.store.add(new_voice("anna"))
        found = (await server.http.get("/v1/voices")).json()["voices"]
        one = (await server.http.get("/v1/voices/anna")).json()
        missing = await server.http.get("/v1/voices/nobody")
    assert [(v["voice_id"], v["category"]) for v in found] == [("fake", "premade"), ("anna", "cloned")]
    assert one == found[1]
    assert one["created_at_unix"] == pytest.approx(datetime.now(UTC).timestamp(), abs=60)
    assert missing.status_code == 404 and missing.json()["detail"]["status"] == "voice_not_found"


async def search(server: FakeServer, **asked: Any) -> Any:
    return (await server.http.get("/v2/voices", params=asked)).json()


async def test_voices_can_be_searched_and_come_in_pages() -> None:
    engine = FakeEngine(voices=("fake", "berta", "carl"))
    async with fake_server(engine) as server:
        await server.services.store.add(new_voice("anna"))

        async def ids(**asked: Any) -> list[str]:
            return [voice["voice_id"] for voice in (await search(server, **asked))["voices"]]

        assert await ids(search="AR") == ["carl"]
        assert await ids(category="cloned") == await ids(voice_type="personal") == ["anna"]
        assert await ids(voice_type="community") == []
        assert await ids(language="de") == ["fake", "berta", "carl", "anna"]
        assert await ids(language="fr") == []
        assert await ids(voice_ids=["carl", "anna"]) == ["carl", "anna"]
        assert await ids(sort="name", sort_direction="desc") == ["fake", "carl", "berta", "anna"]
        first = await search(server, page_size=3)
        assert (first["has_more"], first["total_count"], first["next_page_token"]) == (True, 4, "3")
        second = await search(server, page_size=3, next_page_token="3")
        assert [voice["voice_id"] for voice in second["voices"]] == ["anna"]
        assert (second["has_more"], second["next_page_token"]) == (False, None)


@pytest.mark.parametrize(
    ("name", "value"), [("gender", "female"), ("next_page_token", "x"), ("page_size", "0"), ("sort", "age")]
)
async def test_a_search_that_cannot_be_made_is_refused(name: str, value: str) -> None:
    async with fake_server() as server:
        reply = await server.http.get("/v2/voices", params={name: value})
    assert reply.status_code == 400
    assert reply.json()["detail"]["param"] == name


async def test_models_are_listed_in_the_shape_of_whoever_asks() -> None:
    async with fake_server() as server:
        openai = (await server.http.get("/v1/models")).json()
        elevenlabs = (await server.http.get("/v1/models", headers={"xi-api-key": "any"})).json()
    assert openai["object"] == "list"
    assert [model["model_id"] for model in elevenlabs] == ["june"]
    assert elevenlabs[0]["can_do_text_to_speech"] is True
    assert [language["language_id"] for language in elevenlabs[0]["languages"]] == ["de", "en"]
