"""OpenAI's speech API over a fake engine."""

import asyncio
import base64
import io
import json
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from tests.fake_server import FakeServer, fake_server

from june_tts.engine.fake import SAMPLE_RATE, SECONDS_PER_CHARACTER, FakeEngine

pytestmark = pytest.mark.unit

URL = "/v1/audio/speech"
TEXT = "Hello there, this is a sentence of words."
SECONDS = len(TEXT) * SECONDS_PER_CHARACTER


async def speak(server: FakeServer, **fields: Any) -> Any:
    return await server.http.post(URL, json={"input": TEXT, "voice": "fake", **fields})


async def test_pcm_is_24_khz_mono_16_bit() -> None:
    async with fake_server() as server:
        reply = await speak(server, response_format="pcm")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("audio/pcm")
    assert len(reply.content) / 2 / 24_000 == pytest.approx(SECONDS, rel=0.15)


@pytest.mark.parametrize("container", ["wav", "mp3", "opus", "aac", "flac"])
async def test_every_format_opens_in_a_player_and_has_the_whole_speech(container: str) -> None:
    async with fake_server() as server:
        reply = await speak(server, response_format=container)
    with av.open(io.BytesIO(reply.content), "r") as file:
        frames = list(file.decode(audio=0))
    heard = sum(frame.samples for frame in frames) / frames[0].sample_rate
    assert heard == pytest.approx(SECONDS, rel=0.15)


@pytest.mark.parametrize(("law", "media_type"), [("ulaw", "audio/PCMU"), ("alaw", "audio/PCMA")])
async def test_telephony_formats_are_a_byte_a_sample_at_8_khz(law: str, media_type: str) -> None:
    async with fake_server() as server:
        reply = await speak(server, response_format=law)
        events = await speak(server, response_format=law, stream_format="sse")
        refused = await speak(server, response_format=law, sample_rate=16_000)
    assert reply.headers["content-type"] == f"{media_type};rate=8000"
    assert len(reply.content) / 8000 == pytest.approx(SECONDS, rel=0.15)
    found = [json.loads(line.removeprefix("data: ")) for line in events.text.split("\n\n") if line]
    audio = b"".join(base64.b64decode(e["audio"]) for e in found if e["type"] == "speech.audio.delta")
    assert audio == reply.content
    assert refused.status_code == 400 or refused.status_code == 422
    assert f"{law} can have 8000 Hz" in refused.json()["error"]["message"]


async def test_the_sample_rate_is_the_one_asked_for() -> None:
    async with fake_server() as server:
        reply = await speak(server, response_format="wav", sample_rate=16_000)
    assert soundfile.info(io.BytesIO(reply.content)).samplerate == 16_000


async def test_events_carry_the_same_audio_and_end_with_usage() -> None:
    async with fake_server() as server:
        plain = await speak(server, response_format="pcm")
        events = await speak(server, response_format="pcm", stream_format="sse")
    assert events.headers["content-type"].startswith("text/event-stream")
    found = [json.loads(line.removeprefix("data: ")) for line in events.text.split("\n\n") if line]
    audio = b"".join(base64.b64decode(e["audio"]) for e in found if e["type"] == "speech.audio.delta")
    assert audio == plain.content
    usage = found[-1]["usage"]
    assert found[-1]["type"] == "speech.audio.done"
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


async def test_speed_changes_the_length() -> None:
    async with fake_server() as server:
        slow = await speak(server, response_format="pcm", speed=0.5)
        fast = await speak(server, response_format="pcm", speed=2.0)
    assert len(slow.content) > 3 * len(fast.content)


async def test_an_openai_voice_name_and_a_voice_object_speak_a_configured_voice() -> None:
    async with fake_server() as server:
        assert (await speak(server, voice="alloy")).status_code == 200
        assert (await speak(server, voice={"id": "fake"})).status_code == 200
        assert {utterance.voice.id for utterance, _ in server.engine.spoken} == {"fake"}


REFUSED = [
    ({"input": ""}, 400, "input"),
    ({"input": " \n\t "}, 400, "input"),
    ({"input": "🎉🎉"}, 400, "input"),
    ({"input": "\x00\x07"}, 400, "input"),
    ({"input": 5}, 400, "input"),
    ({"input": "x" * 5001}, 413, "input"),
    ({"voice": "nobody"}, 404, "voice"),
    ({"voice": "../../etc/passwd"}, 404, "voice"),
    ({"voice": "x" * 400}, 404, "voice"),
    ({"voice": {"id": ""}}, 400, "voice"),
    ({"response_format": "midi"}, 400, "response_format"),
    ({"response_format": "opus", "sample_rate": 44_100}, 400, "sample_rate"),
    ({"speed": 0}, 400, "speed"),
    ({"speed": 4.5}, 400, "speed"),
    ({"speed": "fast"}, 400, "speed"),
    ({"model": "gpt-9"}, 404, "model"),
    ({"instructions": "whisper"}, 422, "instructions"),
    ({"stream_format": "smoke"}, 400, "stream_format"),
    ({"language": "fr"}, 400, "language"),
    ({"colour": "red"}, 400, "colour"),
]


@pytest.mark.parametrize(("fields", "status", "param"), REFUSED)
async def test_bad_fields_are_refused_by_name(fields: dict[str, Any], status: int, param: str) -> None:
    async with fake_server() as server:
        reply = await speak(server, **fields)
        error = reply.json()["error"]
        assert reply.status_code == status, error
        assert error["param"].split(".")[0] == param
        assert error["message"] and error["type"] and error["code"]
        assert server.engine.spoken == [] and server.services.admission.active == 0
        assert (await speak(server)).status_code == 200


RAW = [
    (b'{"input": "hi", "speed": NaN}', "application/json", 400),
    (b'{"input": "\\ud800 hi"}', "application/json", 400),
    (b'{"input": "hi"', "application/json", 400),
    (b"\xff\xfe\x00", "application/json", 400),
    (b"[" * 50_000, "application/json", 400),
    (b'{"input": "hi"}', "text/plain", 415),
    (b"", "application/json", 400),
    (b'{"input": "' + b"x" * 70_000 + b'"}', "application/json", 413),
]


@pytest.mark.parametrize(("body", "kind", "status"), RAW)
async def test_broken_bodies_are_refused_and_the_next_request_works(
    body: bytes, kind: str, status: int
) -> None:
    async with fake_server() as server:
        reply = await server.http.post(URL, content=body, headers={"content-type": kind})
        assert reply.status_code == status, reply.text
        assert reply.json()["error"]["message"]
        assert (await speak(server)).status_code == 200


async def test_a_body_that_never_ends_is_given_up() -> None:
    async def forever() -> Any:
        while True:
            yield b" "
            await asyncio.sleep(0.05)

    async with fake_server() as server:
        reply = await server.http.post(URL, content=forever(), headers={"content-type": "application/json"})
        assert reply.status_code == 408


async def test_five_speaks() -> None:
    async with fake_server() as server:
        assert (await speak(server, input="5")).status_code == 200
        assert [text for _, text in server.engine.spoken] == ["five."]


async def test_an_error_before_the_first_audio_has_its_true_status() -> None:
    async with fake_server(FakeEngine(fail_at=0)) as server:
        reply = await speak(server)
    assert reply.status_code == 502
    assert reply.json()["error"]["code"] == "engine_failed"


async def test_an_error_after_the_first_audio_never_looks_like_a_whole_reply() -> None:
    async with fake_server(FakeEngine(fail_at=3)) as server:
        with pytest.raises(AssertionError):  # the transport misses the end of the reply
            await speak(server, response_format="pcm")
        events = await speak(server, response_format="pcm", stream_format="sse")
    assert '"type": "error"' in events.text or '"type":"error"' in events.text
    assert "speech.audio.done" not in events.text


async def test_models_and_voices_are_listed() -> None:
    async with fake_server() as server:
        models = (await server.http.get("/v1/models")).json()
        voices = (await server.http.get("/v1/audio/voices")).json()
    assert {"june", "tts-1", "fake"} <= {model["id"] for model in models["data"]}
    assert [(voice["id"], voice["name"]) for voice in voices["voices"]] == [("fake", "Fake")]


async def test_a_model_can_be_asked_for_by_its_name() -> None:
    async with fake_server() as server:
        listed = (await server.http.get("/v1/models")).json()["data"]
        one = await server.http.get(f"/v1/models/{listed[1]['id']}")
        unknown = await server.http.get("/v1/models/gpt-9")
    assert one.json() == listed[1]
    assert unknown.status_code == 404
    assert unknown.json()["error"]["code"] == "model_not_found"
    assert "gpt-9" in unknown.json()["error"]["message"]


async def test_an_engines_name_as_model_must_fit_the_voice() -> None:
    async with fake_server() as server:
        assert (await speak(server, model="fake")).status_code == 200


async def test_wav_is_not_silent() -> None:
    async with fake_server() as server:
        reply = await speak(server, response_format="wav")
    samples, rate = soundfile.read(io.BytesIO(reply.content))
    assert rate == SAMPLE_RATE
    assert np.abs(samples).max() == pytest.approx(0.1, abs=0.01)
