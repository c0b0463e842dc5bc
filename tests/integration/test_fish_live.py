"""`/v1/tts/live` over a real socket and a fake engine: turns and errors."""

import io

import msgpack
import pytest
import soundfile
from tests.live_server import Client, becomes, closed, connected, live_server, spoken

from june_tts.engine.fake import SECONDS_PER_CHARACTER, FakeEngine
from june_tts.http.fish_live import MOST_FAULTS

pytestmark = pytest.mark.integration

TEXT = "Hello there, this is a sentence of words. "
RATE = 24_000


def seconds(audio: list[bytes]) -> float:
    return sum(map(len, audio)) / 2 / RATE


async def test_a_turn_is_spoken_and_finished() -> None:
    async with live_server() as server, connected(server.live) as client:
        await client.say("Hello the", "re, this is a senten", "ce of words. ", "And more.")
        audio, finish = await client.turn()
    assert finish == {"event": "finish", "reason": "stop"}
    assert " ".join(spoken(server)) == "Hello there, this is a sentence of words. And more."
    letters = sum(map(len, spoken(server)))
    assert seconds(audio) == pytest.approx(letters * SECONDS_PER_CHARACTER, rel=0.02)


async def test_audio_comes_while_the_text_is_still_being_written() -> None:
    async with live_server() as server, connected(server.live) as client:
        await client.start()
        await client.send("text", text="If you look closely at it, you")
        assert (await client.next())["event"] == "audio"
        assert spoken(server) == ["If you look closely at it,"]
        await client.send("text", text=" will see.")
        await client.send("stop")
        _, finish = await client.turn()
    assert finish["reason"] == "stop"
    assert spoken(server)[1:] == ["you will see."]


async def test_a_flush_speaks_what_is_there_and_the_turn_goes_on() -> None:
    async with live_server() as server, connected(server.live) as client:
        await client.start()
        for text in ("Only half a", "sentence here"):
            await client.send("text", text=text)
            await client.send("flush")
            assert (await client.next())["event"] == "audio"
        await client.send("stop")
        assert (await client.turn())[1]["reason"] == "stop"
    assert spoken(server) == ["Only half a.", "sentence here."]


async def test_many_turns_share_one_socket_and_each_has_a_header_of_its_own() -> None:
    async with live_server() as server, connected(server.live) as client:
        for _ in range(3):
            await client.say(TEXT, format="wav")
            audio, finish = await client.turn()
            assert finish["reason"] == "stop"
            assert [at for at, part in enumerate(audio) if part.startswith(b"RIFF")] == [0]
            samples, rate = soundfile.read(io.BytesIO(b"".join(audio)), dtype="int16")
            assert rate == RATE and samples.size / rate > 2
        assert server.sockets == ["/v1/tts/live"]


async def test_turns_that_are_sent_in_one_go_are_spoken_in_order() -> None:
    async with live_server() as server, connected(server.live) as client:
        for number in ("one", "two", "three"):
            await client.say(f"This is turn number {number}.")
        finishes = [(await client.turn())[1]["reason"] for _ in range(3)]
    assert finishes == ["stop"] * 3
    assert spoken(server) == [f"This is turn number {number}." for number in ("one", "two", "three")]


async def test_what_is_asked_for_in_the_request_is_done() -> None:
    async with live_server() as server, connected(server.live) as client:
        plain = await said(client)
        assert await said(client, prosody={"volume": -20.0}) != plain
        assert len(await said(client, prosody={"speed": 2.0})) == pytest.approx(len(plain) / 2, rel=0.1)
        assert len(await said(client, sample_rate=8000)) == pytest.approx(len(plain) / 3, rel=0.1)
        assert await said(client, temperature=0.3) != plain
    assert server.fake.engine.spoken[-1][0].voice.id == "fake"


async def said(client: Client, **request: object) -> bytes:
    await client.say(TEXT, **request)
    audio, finish = await client.turn()
    assert finish["reason"] == "stop", finish
    return b"".join(audio)


@pytest.mark.parametrize(("format", "rate"), [("mp3", 44_100), ("opus", 48_000), ("wav", 44_100)])
async def test_every_format_decodes_at_its_usual_rate(format: str, rate: int) -> None:
    async with live_server() as server, connected(server.live) as client:
        await client.say(TEXT, format=format, sample_rate=None)
        audio, _ = await client.turn()
    samples, found = soundfile.read(io.BytesIO(b"".join(audio)))
    assert found == rate
    assert samples.size / rate == pytest.approx(len(TEXT) * SECONDS_PER_CHARACTER, rel=0.15)


async def test_words_in_the_start_are_spoken_first() -> None:
    async with live_server() as server, connected(server.live) as client:
        await client.send("start", request={"text": "Good morning. ", "format": "pcm"})
        await client.send("text", text="How are you?")
        await client.send("stop")
        await client.turn()
    assert " ".join(spoken(server)) == "Good morning. How are you?"


@pytest.mark.parametrize("format", ["pcm", "wav", "mp3", "opus"])
async def test_no_message_of_audio_is_too_small_or_too_large(format: str) -> None:
    engine = FakeEngine()
    async with live_server(engine) as server, connected(server.live, max_size=65_536) as client:
        for text in ("a", "ab", "Hello.", TEXT * 20):
            await client.say(text, format=format, sample_rate=48_000)
            audio, _ = await client.turn()
            sizes = [len(part) for part in audio]
            assert max(sizes) < 65_536
            # after a first message that waited for nothing, there may be too little for another
            if format in ("pcm", "wav") or len(sizes) > 2:
                assert min(sizes) > 1024, (text, sizes)
            if format in ("pcm", "wav"):
                assert not any(size % 2 for size in sizes)


async def test_a_turn_without_words_is_finished_without_audio() -> None:
    async with live_server() as server, connected(server.live) as client:
        await client.say()
        assert await client.turn() == ([], {"event": "finish", "reason": "stop"})
        await client.say(" ", "\U0001f600")
        assert await client.turn() == ([], {"event": "finish", "reason": "stop"})


@pytest.mark.parametrize(
    ("request_fields", "named"),
    [
        ({"format": "ogg"}, "format"),
        ({"sample_rate": 1}, "sample_rate"),
        ({"format": "opus", "sample_rate": 44_100}, "sample_rate"),
        ({"reference_id": "nobody"}, "nobody"),
        ({"prosody": {"speed": 9}}, "prosody.speed"),
        ({"references": [{"audio": b"x", "text": "y"}]}, "inline"),
        ({"latency": "soon"}, "latency"),
    ],
)
async def test_a_request_that_is_refused_says_why_and_the_socket_lives_on(
    request_fields: dict[str, object], named: str
) -> None:
    async with live_server() as server, connected(server.live) as client:
        await client.say("words", "more", **request_fields)
        audio, finish = await client.turn()
        assert audio == []
        assert finish["reason"] == "error"
        assert named in finish["message"]
        await client.say(TEXT)
        assert (await client.turn())[1]["reason"] == "stop"


GARBAGE = [
    b"",
    b"\xc1",
    b"\xff" * 100,
    msgpack.packb("start"),
    msgpack.packb([1, 2]),
    msgpack.packb({}),
    msgpack.packb({"event": "sing"}),
    msgpack.packb({"event": ["start"]}),
    msgpack.packb({"event": "start"}),
    msgpack.packb({"event": "start", "request": "now"}),
    msgpack.packb({"event": "start", "request": {"text": 7}}),
    msgpack.packb({"event": b"text"}),
    b"\xdd\xff\xff\xff\xff",
    b"\x91" * 5000,
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.parametrize("within", [True, False], ids=["within a turn", "between turns"])
async def test_garbage_is_answered_and_the_socket_lives_on(garbage: bytes, within: bool) -> None:
    async with live_server() as server, connected(server.live) as client:
        if within:
            await client.start()
            await client.send("text", text="Some words of a turn")
        await client.connection.send(garbage)
        finish = (await client.turn())[1]
        assert finish["reason"] == "error" and finish["message"]
        await client.send("text", text=" that will not be spoken.")
        await client.send("flush")
        await client.send("stop")
        await client.say("But this will be.")
        assert (await client.turn())[1]["reason"] == "stop"
        await becomes(lambda: server.fake.engine.active == 0)
    assert spoken(server) == ["But this will be."]


async def test_a_text_that_is_no_string_is_refused() -> None:
    async with live_server() as server, connected(server.live) as client:
        await client.start()
        await client.send("text", text=[1])
        assert "text is a list" in (await client.turn())[1]["message"]


@pytest.mark.parametrize("event", ["text", "flush", "stop"])
async def test_what_comes_outside_of_a_turn_is_an_error(event: str) -> None:
    async with live_server() as server, connected(server.live) as client:
        await client.send(event, text="x")
        assert "outside of a turn" in (await client.turn())[1]["message"]
        await client.say(TEXT)
        assert (await client.turn())[1]["reason"] == "stop"


async def test_text_after_stop_is_an_error_and_what_was_stopped_is_heard_to_its_end() -> None:
    async with live_server() as server, connected(server.live) as client:
        await client.say(TEXT)
        await client.send("text", text="late")
        audio, finish = await client.turn()
        assert finish["reason"] == "stop" and seconds(audio) > 2
        assert (await client.turn())[1]["reason"] == "error"


async def test_a_start_within_a_turn_is_an_error() -> None:
    async with live_server() as server, connected(server.live) as client:
        await client.start()
        await client.start()
        assert "start came within a turn" in (await client.turn())[1]["message"]
        await client.send("stop")
        await client.say(TEXT)
        assert (await client.turn())[1]["reason"] == "stop"


async def test_a_text_frame_closes_the_socket() -> None:
    async with live_server() as server, connected(server.live) as client:
        await client.connection.send("hello")
        assert await closed(client) == 1003


async def test_garbage_for_ever_closes_the_socket() -> None:
    async with live_server() as server, connected(server.live) as client:
        for _ in range(MOST_FAULTS):
            await client.connection.send(b"\xc1")
        assert await closed(client) == 1008
        assert len(client.received) == MOST_FAULTS


async def test_a_message_that_is_too_large_closes_the_socket() -> None:
    async with live_server(frame_bytes=10_000) as server, connected(server.live) as client:
        await client.start()
        await client.send("text", text="x" * 20_000)
        assert await closed(client) == 1009
        await becomes(lambda: server.fake.services.sockets.active == 0)


async def test_an_engine_that_fails_ends_the_turn_and_the_socket() -> None:
    async with live_server(FakeEngine(fail_at=3)) as server, connected(server.live) as client:
        await client.start()
        await client.send("text", text=TEXT)
        await client.send("flush")
        finish = (await client.turn())[1]
        assert (finish["reason"], finish["code"]) == ("error", "engine_failed")
        assert await closed(client) == 1013
