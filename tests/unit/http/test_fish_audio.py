"""`/v1/tts` as Fish Audio's service has it: what its clients send beyond the fields of fish-speech."""

import base64
import io
from typing import Any

import av
import msgpack
import numpy as np
import pytest
import soundfile
from tests.fake_server import FakeServer, fake_server
from tests.unit.http.test_fish import MSGPACK, TEXT, URL, Sampled, recording, refused

from june_tts.engine.fake import SECONDS_PER_CHARACTER, FakeEngine
from june_tts.http.app import create_app

pytestmark = pytest.mark.unit

SECONDS = len(TEXT) * SECONDS_PER_CHARACTER


async def speak(server: FakeServer, **fields: Any) -> Any:
    return await server.http.post(URL, json={"text": TEXT, **fields})


async def spoken(server: FakeServer, **fields: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Samples at 44,100 Hz."""
    reply = await speak(server, format="pcm", **fields)
    assert reply.status_code == 200, reply.text
    return np.frombuffer(reply.content, "<i2").astype(np.float32) / np.float32(32768)


def kbits(reply: Any) -> float:
    return float(len(reply.content) * 8 / SECONDS / 1000)


async def test_a_request_that_does_not_say_gets_a_stream_of_mp3() -> None:
    engine = FakeEngine(fail_at=5)
    async with fake_server() as server:
        reply = await speak(server)
    assert reply.headers["content-type"] == "audio/mpeg"
    with av.open(io.BytesIO(reply.content), "r") as file:
        frames = list(file.decode(audio=0))
    assert frames[0].sample_rate == 44_100
    assert sum(frame.samples for frame in frames) / 44_100 == pytest.approx(SECONDS, rel=0.15)
    async with fake_server(engine) as server:
        with pytest.raises(AssertionError):
            # a stream is cut off where a collected reply would be a 502
            await speak(server)


async def test_in_the_place_of_fish_speech_it_is_a_whole_wav() -> None:
    async with fake_server() as server:
        app = create_app(server.services, fish_alone=True)
        server.http._transport = type(server.http._transport)(app)  # type: ignore[call-arg]  # the same kind
        reply = await speak(server)
    assert reply.headers["content-type"] == "audio/wav"
    assert soundfile.info(io.BytesIO(reply.content)).duration == pytest.approx(SECONDS, rel=0.15)


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("format", ["wav", "mp3"])
async def test_the_sample_rate_is_the_one_asked_for(format: str, rate: int) -> None:
    async with fake_server() as server:
        reply = await speak(server, format=format, sample_rate=rate)
    with av.open(io.BytesIO(reply.content), "r") as file:
        frames = list(file.decode(audio=0))
    assert frames[0].sample_rate == rate
    assert sum(frame.samples for frame in frames) / rate == pytest.approx(SECONDS, rel=0.15)


async def test_a_sample_rate_that_the_format_cannot_have_is_refused_and_those_it_can_are_named() -> None:
    async with fake_server() as server:
        message = refused(await speak(server, format="opus", sample_rate=44_100), 422)
    assert message.startswith("sample_rate 44100") and "48000" in message


@pytest.mark.parametrize("unit", [1, 1000])
async def test_the_bit_rate_of_mp3_is_the_one_asked_for_in_either_unit(unit: int) -> None:
    async with fake_server() as server:
        for wanted in (64, 128, 192):
            reply = await speak(server, mp3_bitrate=wanted * unit, opus_bitrate=32)
            assert kbits(reply) == pytest.approx(wanted, rel=0.15)


@pytest.mark.parametrize("unit", [1, 1000])
async def test_the_bit_rate_of_opus_is_the_one_asked_for_in_either_unit(unit: int) -> None:
    async with fake_server() as server:
        sizes = [
            len((await speak(server, format="opus", opus_bitrate=wanted * unit)).content)
            for wanted in (24, 32, 48, 64)
        ]
    # 50 pages a second of some 30 bytes stand around the packets
    expected = [(wanted * 125 + 50 * 30) * SECONDS for wanted in (24, 32, 48, 64)]
    assert sizes == pytest.approx(expected, rel=0.2)
    assert sizes == sorted(set(sizes))


async def test_an_automatic_opus_bit_rate_is_as_if_none_were_asked_for() -> None:
    async with fake_server() as server:
        automatic = await speak(server, format="opus", opus_bitrate=-1000)
        none = await speak(server, format="opus")
        some = await speak(server, format="opus", opus_bitrate=24)
    assert len(automatic.content) == len(none.content) != len(some.content)


async def test_the_tempo_is_passed_on() -> None:
    async with fake_server() as server:
        usual, fast = await spoken(server), await spoken(server, prosody={"speed": 2})
    assert fast.size == pytest.approx(usual.size / 2, rel=0.02)


@pytest.mark.parametrize("decibels", [-20, -6.0, 6])
async def test_the_volume_is_as_many_decibels_up_or_down(decibels: float) -> None:
    async with fake_server() as server:
        usual, changed = await spoken(server), await spoken(server, prosody={"volume": decibels})
    gained = 20 * np.log10(np.abs(changed).max() / np.abs(usual).max())
    assert gained == pytest.approx(decibels, abs=0.3)


async def test_the_greatest_volume_is_bent_and_not_clipped() -> None:
    async with fake_server() as server:
        loud = await spoken(server, prosody={"volume": 20}, temperature=1.0)
    # the tone would have ten times full scale at its peaks otherwise: two thirds of it would be clipped
    assert 0.9 < np.abs(loud).max()
    assert np.mean(np.abs(loud) > 0.9999) < 0.01


async def test_nulls_are_as_if_they_were_not_sent() -> None:
    nulls = ("sample_rate", "reference_id", "references", "prosody", "mp3_bitrate", "features", "latency")
    async with fake_server() as server:
        plain = await speak(server)
        with_nulls = await speak(server, **dict.fromkeys(nulls))
        inside = await speak(server, prosody={"speed": None, "volume": None})
    assert plain.content == with_nulls.content == inside.content
    assert "x-ignored-parameters" not in with_nulls.headers


async def test_what_no_engine_here_has_is_named_in_a_header() -> None:
    fields = {"min_chunk_length": 50, "condition_on_previous_chunks": True, "early_stop_threshold": 1.0}
    async with fake_server(Sampled()) as server:
        reply = await speak(server, **fields, features=["x"], prosody={"normalize_loudness": True})
    named = set(reply.headers["x-ignored-parameters"].split(", "))
    assert named == {*fields, "features", "normalize_loudness"}


@pytest.mark.parametrize("sent", ["other", ["other"]])
async def test_a_voice_may_be_named_by_itself_or_in_a_list(sent: Any) -> None:
    engine = FakeEngine(voices=("fake", "other"))
    async with fake_server(engine) as server:
        assert (await speak(server, reference_id=sent)).status_code == 200
    assert engine.spoken[0][0].voice.id == "other"


@pytest.mark.parametrize("sent", [None, []])
async def test_without_a_voice_the_default_one_speaks(sent: Any) -> None:
    engine = FakeEngine(voices=("fake", "other"))
    async with fake_server(engine) as server:
        assert (await speak(server, reference_id=sent, references=sent)).status_code == 200
    assert engine.spoken[0][0].voice.id == "fake"


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("nested", [True, False])
async def test_recordings_of_one_speaker_come_in_a_list_or_in_a_list_of_lists(
    nested: bool, packed: bool
) -> None:
    engine = FakeEngine(clones=True)
    parts = [recording(4.0), recording(3.0, 200)]
    sent: Any = [
        {"audio": audio if packed else base64.b64encode(audio).decode(), "text": f"Part {at}."}
        for at, audio in enumerate(parts)
    ]
    body = {"text": TEXT, "references": [sent] if nested else sent}
    async with fake_server(engine) as server:
        if packed:
            reply = await server.http.post(URL, content=msgpack.packb(body), headers=MSGPACK)
        else:
            reply = await server.http.post(URL, json=body)
    assert reply.status_code == 200, reply.text
    found = engine.spoken[0][0].references
    assert [(one.audio, one.text) for one in found] == [(parts[0], "Part 0."), (parts[1], "Part 1.")]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"reference_id": ["fake", "other"]}, "reference_id has 2 speakers"),
        ({"references": [[{"audio": "AAAA", "text": "x"}]] * 2}, "references has 2 speakers"),
        ({"reference_id": ["fake"] * 17}, "reference_id"),
        ({"reference_id": [5]}, "reference_id"),
        ({"reference_id": {"id": "fake"}}, "reference_id"),
        ({"references": [[]]}, "references"),
        ({"references": [[{"audio": "AAAA", "text": "x"}], {"audio": "AAAA", "text": "x"}]}, "references"),
        ({"references": [[{"audio": "AAAA", "text": "x"}] * 17]}, "references"),
        ({"mp3_bitrate": 8}, "mp3_bitrate"),
        ({"mp3_bitrate": 500_000}, "mp3_bitrate"),
        ({"mp3_bitrate": "128"}, "mp3_bitrate"),
        ({"opus_bitrate": -5}, "opus_bitrate"),
        ({"opus_bitrate": 128}, "opus_bitrate"),
        ({"sample_rate": 4000}, "sample_rate"),
        ({"sample_rate": "44100"}, "sample_rate"),
        ({"prosody": {"speed": 3}}, "prosody.speed"),
        ({"prosody": {"speed": float(10**30)}}, "prosody.speed"),
        ({"prosody": {"volume": -21}}, "prosody.volume"),
        ({"prosody": "fast"}, "prosody"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
    ],
)
async def test_what_cannot_be_is_422_and_named(fields: dict[str, Any], name: str) -> None:
    async with fake_server(FakeEngine(voices=("fake", "other"), clones=True)) as server:
        assert refused(await speak(server, **fields), 422).startswith(name)


async def test_the_likeliest_speech_can_be_asked_for() -> None:
    """Fish Audio's clients may set both to 0."""
    engine = Sampled()
    async with fake_server(engine) as server:
        assert (await speak(server, temperature=0.0, top_p=0.0)).status_code == 200
    found = engine.spoken[0][0].sampling
    assert found.temperature == 0
    assert found.top_p is not None and 0 < found.top_p <= 0.01
