"""Fish's API over a fake engine: `/v1/tts`, `/v1/vqgan`, `/v1/health`."""

import asyncio
import base64
import io
import json
import struct
from dataclasses import replace
from typing import Any

import av
import msgpack
import numpy as np
import pytest
import soundfile
from tests.fake_server import MAX_CHARS, FakeServer, fake_server

from june_tts.audio.wav import HEADER_BYTES
from june_tts.engine.fake import SECONDS_PER_CHARACTER, FakeEngine
from june_tts.http.fish_body import MOST_ITEMS
from june_tts.types import InlineReference

pytestmark = pytest.mark.unit

URL = "/v1/tts"
TEXT = "Hello there, this is a sentence of words."
SECONDS = len(TEXT) * SECONDS_PER_CHARACTER
MSGPACK = {"Content-Type": "application/msgpack"}


def recording(seconds: float = 4.0, pitch: float = 150.0, silence: float = 0.0) -> bytes:
    """A WAV file at 16 kHz, `silence` seconds of it before the tone."""
    tone = 0.3 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * 16_000)) / 16_000)
    tone = np.concatenate([np.zeros(int(silence * 16_000)), tone])
    out = io.BytesIO()
    soundfile.write(out, tone, 16_000, format="WAV")
    return out.getvalue()


def cloning() -> FakeEngine:
    return FakeEngine(clones=True)


async def speak(server: FakeServer, **fields: Any) -> Any:
    """As fish-speech's own client asks."""
    body = {"text": TEXT, "format": "wav", "streaming": False, **fields}
    return await server.http.post(URL, json=body)


def refused(reply: Any, status: int) -> str:
    """The message of a refusal in the reference's shape."""
    body = reply.json()
    assert reply.status_code == status, body
    assert body["statusCode"] == body["status"] == status
    assert set(body) == {"statusCode", "message", "error", "status", "detail", "reason"}
    assert isinstance(body["error"], str) and body["message"]
    return str(body["message"])


async def test_a_whole_wav_states_its_true_length_at_44_1_khz() -> None:
    async with fake_server() as server:
        reply = await speak(server)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "audio/wav"
    assert reply.headers["content-disposition"] == "attachment; filename=audio.wav"
    (stated,) = struct.unpack_from("<I", reply.content, 40)
    assert stated == len(reply.content) - HEADER_BYTES
    samples, rate = soundfile.read(io.BytesIO(reply.content))
    assert rate == 44_100
    assert samples.size / rate == pytest.approx(SECONDS, rel=0.15)


async def test_a_streamed_wav_has_its_header_first_and_opens_in_soundfile() -> None:
    async with fake_server() as server:
        reply = await speak(server, streaming=True)
        raw = await speak(server, streaming=True, format="pcm")
    assert reply.content[:4] == b"RIFF"
    assert reply.content[HEADER_BYTES:] == raw.content
    samples, rate = soundfile.read(io.BytesIO(reply.content))
    assert rate == 44_100
    assert samples.size / rate == pytest.approx(SECONDS, rel=0.15)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(("format", "rate"), [("mp3", 44_100), ("opus", 48_000), ("flac", 44_100)])
async def test_every_other_format_decodes(format: str, rate: int, streaming: bool) -> None:
    async with fake_server() as server:
        reply = await speak(server, format=format, streaming=streaming)
    with av.open(io.BytesIO(reply.content), "r") as file:
        frames = list(file.decode(audio=0))
    assert frames[0].sample_rate == rate
    assert sum(frame.samples for frame in frames) / rate == pytest.approx(SECONDS, rel=0.15)


async def test_the_first_audio_of_a_stream_leaves_long_before_the_last() -> None:
    """The whole takes 0.5 s and more; what is streamed is there while the engine still speaks."""
    engine = FakeEngine(step_seconds=0.02)
    async with fake_server(engine) as server:
        at_first: list[int] = []

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body" and message["body"]:
                at_first.append(engine.active)

        body = json.dumps({"text": TEXT, "streaming": True}).encode()
        sent = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return sent.pop() if sent else await asyncio.Event().wait()

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "method": "POST",
            "path": URL,
            "raw_path": URL.encode(),
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
            "scheme": "http",
            "http_version": "1.1",
            "root_path": "",
        }
        await server.app(scope, receive, send)
    assert len(at_first) > 5
    assert at_first[0] == 1


async def test_json_msgpack_and_a_form_say_the_same() -> None:
    fields = {"text": TEXT, "format": "pcm", "streaming": True, "seed": 3, "temperature": 0.9}
    async with fake_server() as server:
        plain = await server.http.post(URL, json=fields)
        packed = await server.http.post(URL, content=msgpack.packb(fields), headers=MSGPACK)
        form = await server.http.post(URL, files={k: (None, str(v)) for k, v in fields.items()})
        other = await server.http.post(URL, json=fields | {"seed": 4})
    assert plain.status_code == packed.status_code == form.status_code == 200, form.text
    assert plain.content == packed.content == form.content
    assert other.content != plain.content


async def test_unknown_fields_and_nulls_are_as_if_they_were_not_sent() -> None:
    async with fake_server() as server:
        plain = await speak(server)
        with_more = await speak(server, references=None, seed=None, unheard_of=128, top_p=None)
    assert with_more.status_code == 200
    assert with_more.content == plain.content


async def test_an_unknown_reference_id_is_404_and_names_it() -> None:
    async with fake_server() as server:
        reply = await speak(server, reference_id="nobody")
    assert "'nobody'" in refused(reply, 404)


async def test_a_reference_id_is_a_voice_of_the_library_and_goes_before_references() -> None:
    engine = FakeEngine(voices=("fake", "other"))
    async with fake_server(engine) as server:
        inline = [{"audio": base64.b64encode(recording()).decode(), "text": "Hi."}]
        reply = await speak(server, reference_id="other", references=inline)
    assert reply.status_code == 200
    assert {utterance.voice.id for utterance, _ in engine.spoken} == {"other"}


@pytest.mark.parametrize("body", ["json", "msgpack", "form"])
async def test_recordings_that_come_with_a_request_reach_the_engine(body: str) -> None:
    engine = cloning()
    audio = recording()
    text = base64.b64encode(audio).decode()
    async with fake_server(engine) as server:
        if body == "json":
            reply = await speak(server, references=[{"audio": text, "text": "One."}])
        elif body == "msgpack":
            packed = msgpack.packb({"text": TEXT, "references": [{"audio": audio, "text": "One."}]})
            reply = await server.http.post(URL, content=packed, headers=MSGPACK)
        else:
            listed = json.dumps([{"audio": text, "text": "One."}])
            reply = await server.http.post(URL, files={"text": (None, TEXT), "references": (None, listed)})
    assert reply.status_code == 200, reply.text
    assert engine.spoken[0][0].references == (InlineReference(audio, "One."),)


async def test_recordings_are_refused_where_no_engine_clones() -> None:
    async with fake_server() as server:
        reply = await speak(server, references=[{"audio": "AAAA", "text": "One."}])
    assert "no engine installed here" in refused(reply, 422)


async def test_what_the_engine_does_not_have_is_named_in_a_header_and_the_rest_is_passed_on() -> None:
    engine = FakeEngine()
    async with fake_server(engine) as server:
        all_sent = await speak(server, top_p=0.7, temperature=0.5, seed=2, max_new_tokens=10)
        none_sent = await speak(server)
    assert all_sent.headers["x-ignored-parameters"] == "top_p, max_new_tokens"
    assert "x-ignored-parameters" not in none_sent.headers
    sampling = engine.spoken[0][0].sampling
    assert (sampling.temperature, sampling.seed) == (0.5, 2)
    assert (sampling.top_p, sampling.max_frames) == (None, None)


class Sampled(FakeEngine):
    """Has every parameter."""

    def capabilities(self) -> Any:
        every = frozenset({"temperature", "top_p", "repetition_penalty", "seed", "max_frames"})
        return replace(super().capabilities(), parameters=every)


async def test_every_sampling_field_reaches_an_engine_that_samples() -> None:
    engine = Sampled()
    async with fake_server(engine) as server:
        reply = await speak(
            server, top_p=0.7, temperature=0.5, repetition_penalty=1.5, seed=9, max_new_tokens=77
        )
        await speak(server, max_new_tokens=0)
    assert "x-ignored-parameters" not in reply.headers
    found = engine.spoken[0][0].sampling
    assert (found.top_p, found.temperature, found.repetition_penalty) == (0.7, 0.5, 1.5)
    assert (found.seed, found.max_frames) == (9, 77)
    without_limit = engine.spoken[-1][0].sampling.max_frames
    assert without_limit is not None and without_limit > 100_000


async def test_chunk_length_bounds_the_pieces_and_normalize_leaves_them_as_they_stand() -> None:
    text = "There are 42 cats here, and they all sleep on one mat. " * 6
    pieces: dict[str, list[str]] = {}
    asked: dict[str, dict[str, Any]] = {
        "short": {"chunk_length": 60},
        "long": {"chunk_length": 0},
        "raw": {"normalize": False},
    }
    for name, fields in asked.items():
        engine = FakeEngine()
        async with fake_server(engine) as server:
            assert (await server.http.post(URL, json={"text": text, **fields})).status_code == 200
        pieces[name] = [piece for _, piece in engine.spoken]
    assert max(map(len, pieces["short"])) <= 60 < max(map(len, pieces["long"]))
    assert any("forty-two" in piece for piece in pieces["long"])
    assert any("42" in piece for piece in pieces["raw"])


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"text": 5}, "text"),
        ({"format": "ogg"}, "format"),
        ({"temperature": 5.0}, "temperature"),
        ({"temperature": "0.5"}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"repetition_penalty": 3.0}, "repetition_penalty"),
        ({"chunk_length": -1}, "chunk_length"),
        ({"seed": -1}, "seed"),
        ({"max_new_tokens": -5}, "max_new_tokens"),
        ({"latency": "never"}, "latency"),
        ({"use_memory_cache": "maybe"}, "use_memory_cache"),
        ({"reference_id": ""}, "reference_id"),
        ({"references": [{"audio": "not base64!", "text": "x"}]}, "references"),
        ({"references": [{"text": "x"}]}, "references"),
        ({"references": [{"audio": "AAAA", "text": "x"}] * 17}, "references"),
    ],
)
async def test_a_field_that_is_not_valid_is_422_and_named(fields: dict[str, Any], name: str) -> None:
    async with fake_server() as server:
        assert refused(await speak(server, **fields), 422).startswith(name)


async def test_bodies_that_cannot_be_read_are_refused() -> None:
    async with fake_server() as server:
        post = server.http.post
        assert "Content-Type" in refused(await post(URL, content=b"text=x"), 415)
        assert "text is missing" in refused(await post(URL, json={}), 422)
        assert "expected an object" in refused(await post(URL, json=[1]), 422)
        for broken in (b"", b"\xc1", b"\xdd\xff\xff\xff\xff", b"\x91" * 5000, b"\xa2\xff\xff"):
            assert "msgpack" in refused(await post(URL, content=broken, headers=MSGPACK), 422)
        endless = msgpack.packb({"tokens": [[0] * (MOST_ITEMS + 1)]})
        assert "msgpack" in refused(await post("/v1/vqgan/decode", content=endless, headers=MSGPACK), 422)
        json_type = {"Content-Type": "application/json"}
        for broken in (b"{", b"[" * 100_000, b"\xff"):
            assert "json" in refused(await post(URL, content=broken, headers=json_type), 422)


async def test_a_text_that_is_too_long_is_400_as_in_the_reference() -> None:
    async with fake_server() as server:
        message = refused(await server.http.post(URL, json={"text": "a" * (MAX_CHARS + 1)}), 400)
    assert str(MAX_CHARS) in message


async def test_a_key_is_asked_for_where_one_is_set() -> None:
    async with fake_server(api_key="secret") as server:
        refused(await speak(server), 401)
        wrong = await server.http.get("/v1/health", headers={"Authorization": "Bearer guess"})
        refused(wrong, 401)
        right = await server.http.get("/v1/health", headers={"Authorization": "Bearer secret"})
    assert right.json() == {"status": "ok"}


async def test_an_engine_that_fails_before_or_during_a_whole_reply_is_502() -> None:
    for at in (0, 5):
        async with fake_server(FakeEngine(fail_at=at)) as server:
            assert "fail" in refused(await speak(server), 502)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_health_answers_to_both_methods(method: str) -> None:
    async with fake_server() as server:
        reply = await server.http.request(method, "/v1/health")
    assert (reply.status_code, reply.json()) == (200, {"status": "ok"})


async def test_recordings_become_codes_of_all_that_is_in_them() -> None:
    loud, quiet = recording(1.0), recording(1.0, pitch=300, silence=2.0)
    async with fake_server() as server:
        body = msgpack.packb({"audios": [loud, quiet, loud]})
        reply = await server.http.post("/v1/vqgan/encode", content=body, headers=MSGPACK)
        assert reply.headers["content-type"] == "application/msgpack"
        tokens = msgpack.unpackb(reply.content)["tokens"]
    assert tokens[0] == tokens[2] != tokens[1]
    assert [len(rows) for rows in tokens] == [10, 10, 10]
    assert [len(rows[0]) for rows in tokens] == [-(-seconds * 44_100 // 2048) for seconds in (1, 3, 1)]


async def test_codes_become_float16_samples() -> None:
    async with fake_server() as server:
        body = msgpack.packb({"tokens": [[[512] * 3] * 10]})
        reply = await server.http.post("/v1/vqgan/decode", content=body, headers=MSGPACK)
    (audio,) = msgpack.unpackb(reply.content)["audios"]
    samples = np.frombuffer(audio, "<f2")
    assert samples.size == 3 * 2048
    assert float(np.abs(samples).max()) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("tokens", "reason"),
    [
        ([[[1, 2]] * 9], "9 rows"),
        ([[[1, 2]] * 9 + [[1]]], "different lengths"),
        ([[[]] * 10], "none"),
        ([[[-1, 2]] * 10], "-1"),
        ([[[5000, 2]] * 10], "5000"),
        ([[[1.5, 2]] * 10], "tokens"),
        ("x", "tokens"),
    ],
)
async def test_codes_that_cannot_be_are_refused(tokens: Any, reason: str) -> None:
    async with fake_server() as server:
        reply = await server.http.post("/v1/vqgan/decode", json={"tokens": tokens})
    assert reason in refused(reply, 422)


async def test_a_recording_that_is_none_is_refused() -> None:
    async with fake_server() as server:
        reply = await server.http.post("/v1/vqgan/encode", json={"audios": ["AAAAAAAA"]})
    assert "expected a recording" in refused(reply, 400)


async def test_without_a_codec_the_codes_are_not_configured() -> None:
    async with fake_server() as server:
        object.__setattr__(server.services, "codec", None)
        reply = await server.http.post("/v1/vqgan/decode", json={"tokens": [[[1]] * 10]})
    assert "Fish engine" in refused(reply, 503)
