"""`/v1/tts/live` over a real socket and a fake engine: turns, errors, limits."""

import asyncio
import io
import itertools

import msgpack
import pytest
import soundfile
from tests.fake_server import MAX_CHARS
from tests.live_server import Client, LiveServer, becomes, connected, live_server
from websockets.exceptions import ConnectionClosed, InvalidStatus

from june_tts.engine.fake import SECONDS_PER_CHARACTER, FakeEngine
from june_tts.http.fish_live import MOST_FAULTS
from june_tts.http.live_limits import LiveLimits

pytestmark = pytest.mark.integration

TEXT = "Hello there, this is a sentence of words. "
RATE = 24_000


def spoken(server: LiveServer) -> list[str]:
    return [text for _, text in server.fake.engine.spoken]


def seconds(audio: list[bytes]) -> float:
    return sum(map(len, audio)) / 2 / RATE


async def closed(client: Client) -> int:
    """The code that the server closes with; messages before it are read."""
    with pytest.raises(ConnectionClosed) as end:
        while True:
            await client.next()
    assert end.value.rcvd is not None
    return end.value.rcvd.code


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


async def test_a_turn_that_finds_no_place_is_refused() -> None:
    async with live_server(FakeEngine(step_seconds=0.05), max_streams=1) as server:
        async with connected(server.live) as first, connected(server.live) as second:
            await first.say(TEXT * 5)
            await first.next()
            await second.say(TEXT)
            assert (await second.turn())[1]["code"] == "overloaded"
            assert await closed(second) == 1013


async def test_a_turn_that_rests_takes_no_place() -> None:
    async with live_server(max_streams=1) as server:
        async with connected(server.live) as first, connected(server.live) as second:
            await first.start()
            await first.send("text", text="Hi.")
            await first.send("flush")
            await first.next()
            await becomes(lambda: server.fake.services.admission.active == 0)
            await second.say("Hello.")
            assert (await second.turn())[1]["reason"] == "stop"
            await first.send("text", text="Here I am again.")
            await first.send("stop")
            assert (await first.turn())[1]["reason"] == "stop"
    assert spoken(server) == ["Hi.", "Hello.", "Here I am again."]


async def test_a_client_that_disconnects_cancels_the_work_at_once() -> None:
    async with live_server(FakeEngine(step_seconds=0.02)) as server:
        async with connected(server.live) as client:
            await client.start()
            await client.send("text", text=TEXT * 50)
            await client.next()
            assert server.fake.engine.active == 1
        await becomes(lambda: server.fake.engine.active == 0, 2.0)
        await becomes(lambda: server.fake.services.sockets.active == 0)
        assert server.fake.services.recorder.totals.cancelled == 1


async def test_a_client_that_drops_without_goodbye_cancels_the_work() -> None:
    async with live_server(FakeEngine(step_seconds=0.02)) as server:
        async with connected(server.live) as client:
            await client.say(TEXT * 50)
            await client.next()
            client.connection.transport.abort()
            await becomes(lambda: server.fake.engine.active == 0, 2.0)


async def test_a_writer_that_is_quicker_than_speech_is_not_read() -> None:
    limits = LiveLimits(waiting_chars=200)
    async with live_server(FakeEngine(step_seconds=0.2), live=limits) as server:
        async with connected(server.live) as client:
            await client.start()
            sent = 0
            with pytest.raises(TimeoutError):
                for _ in itertools.count():
                    await asyncio.wait_for(client.send("text", text=TEXT * 20), 1.0)
                    sent += 1
            assert 0 < sent < 200_000 / len(TEXT)
            client.connection.transport.abort()
        await becomes(lambda: server.fake.engine.active == 0)


async def test_a_reader_that_takes_nothing_is_cut_off() -> None:
    async with live_server(stall_seconds=0.3) as server:
        async with connected(server.live, max_queue=1) as client:
            await client.say(TEXT * 100, sample_rate=192_000)
            await becomes(lambda: server.fake.engine.active == 1)
            await becomes(lambda: server.fake.services.sockets.active == 0)
            assert server.fake.engine.active == 0
            client.connection.transport.abort()


async def test_an_idle_socket_is_closed() -> None:
    limits = LiveLimits(idle_seconds=0.2)
    async with live_server(live=limits) as server, connected(server.live) as client:
        assert await closed(client) == 1001


async def test_an_idle_turn_is_finished_with_an_error_first() -> None:
    limits = LiveLimits(idle_seconds=0.2)
    async with live_server(live=limits) as server, connected(server.live) as client:
        await client.start()
        await client.send("text", text="And then")
        assert await closed(client) == 1001
    assert [event["code"] for event in client.received] == ["body_too_slow"]


async def test_a_turn_that_lasts_too_long_is_ended() -> None:
    limits = LiveLimits(turn_seconds=0.3)
    async with live_server(live=limits) as server, connected(server.live) as client:
        await client.start()
        assert await closed(client) == 1008
    assert [event["code"] for event in client.received] == ["body_too_slow"]


async def test_a_turn_that_becomes_too_long_is_ended() -> None:
    async with live_server(FakeEngine()) as server, connected(server.live) as client:
        await client.start()
        for _ in range(MAX_CHARS // len(TEXT) + 1):
            await client.send("text", text=TEXT)
            await client.send("flush")
            await client.next()
        assert await closed(client) == 1008
    assert client.received[-1]["code"] == "text_too_long"


async def test_one_socket_too_many_is_refused_with_503() -> None:
    async with live_server(sockets=1) as server, connected(server.live):
        with pytest.raises(InvalidStatus) as refused:
            async with connected(server.live):
                pass
        assert refused.value.response.status_code == 503
        assert "Retry-After" in refused.value.response.headers


async def test_a_socket_that_never_said_anything_makes_room_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("june_tts.service.admission_places.SILENT_SECONDS", 0.1)
    async with live_server(sockets=2) as server, connected(server.live) as talker:
        await talker.say("Hello.")
        assert (await talker.turn())[1]["reason"] == "stop"
        async with connected(server.live) as silent:
            await asyncio.sleep(0.2)
            async with connected(server.live) as another:
                assert await closed(silent) == 1013
                await another.say("Hello.")
                assert (await another.turn())[1]["reason"] == "stop"
                assert server.fake.services.sockets.active == 2
                # the first has rested as long, and is not sent away for it
                with pytest.raises(InvalidStatus):
                    async with connected(server.live):
                        pass
                await talker.say("Hello again.")
                assert (await talker.turn())[1]["reason"] == "stop"
    assert server.fake.services.sockets.active == 0


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
async def test_a_socket_needs_the_key(headers: dict[str, str]) -> None:
    async with live_server(api_key="right") as server:
        with pytest.raises(InvalidStatus) as refused:
            async with connected(server.live, additional_headers=headers):
                pass
        assert refused.value.response.status_code == 401
        async with connected(server.live, additional_headers={"Authorization": "Bearer right"}) as client:
            await client.say("Hello.")
            assert (await client.turn())[1]["reason"] == "stop"


async def test_an_unknown_model_is_the_default() -> None:
    async with live_server() as server:
        async with connected(server.live, additional_headers={"model": "s9-ultra"}) as client:
            await client.say("Hello.")
            assert (await client.turn())[1]["reason"] == "stop"


async def test_a_request_without_a_handshake_is_told_there_is_nothing() -> None:
    async with live_server() as server:
        assert (await server.fake.http.get("/v1/tts/live")).status_code == 404


async def test_turns_are_counted_like_requests() -> None:
    async with live_server() as server, connected(server.live) as client:
        await client.say(TEXT)
        await client.turn()
        totals = server.fake.services.recorder.totals
        assert (totals.requests, totals.succeeded, totals.characters) == (1, 1, len(TEXT))


async def test_a_server_that_stops_lets_a_turn_end() -> None:
    async with live_server(FakeEngine(step_seconds=0.01)) as server, connected(server.live) as client:
        await client.say(TEXT)
        await client.next()
        server.fake.services.admission.draining = True
        assert (await client.turn())[1]["reason"] == "stop"
        await client.say(TEXT)
        assert (await client.turn())[1]["code"] == "overloaded"
