"""`/v1/tts/live` over a real socket and a fake engine: places, patience, keys, the end."""

import asyncio
import itertools

import pytest
from tests.fake_server import MAX_CHARS
from tests.live_server import becomes, closed, connected, live_server, spoken
from websockets.exceptions import InvalidStatus

from june_tts.engine.fake import FakeEngine
from june_tts.http.live_limits import LiveLimits

pytestmark = pytest.mark.integration

TEXT = "Hello there, this is a sentence of words. "
RATE = 24_000


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
