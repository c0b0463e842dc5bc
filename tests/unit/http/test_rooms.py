"""June's API for speech in rooms, over fake rooms."""

import asyncio
from typing import Any

import pytest
from tests.fake_rooms import FakeRooms
from tests.fake_server import FakeServer, fake_server

from june_tts.errors import RoomUnavailable

pytestmark = pytest.mark.unit

URL = "/api/tts/synthesize"


async def speak(server: FakeServer, text: str = "Hello there.", **fields: Any) -> Any:
    return await server.http.post(URL, json={"text": text, "room_name": "lobby", **fields})


async def test_the_answer_comes_when_the_last_frame_has_been_played() -> None:
    async with fake_server(rooms=FakeRooms(0.1)) as server:
        reply = await speak(server, language="en", voice_id="default", temperature=0.7)
    body = reply.json()
    assert reply.status_code == 200
    assert (body["status"], body["mode"], body["state"]) == ("success", "livekit", "done")
    assert body["voice_id"] == "fake" and body["room_name"] == "lobby"
    assert 1000 * 0.1 * body["heard_seconds"] <= body["total_time_ms"] < 5000


async def test_who_does_not_wait_gets_an_id_at_once_and_asks_with_it() -> None:
    async with fake_server(rooms=FakeRooms(0.1)) as server:
        reply = await speak(server, wait=False)
        where = f"/api/tts/utterances/{reply.json()['utterance_id']}"
        # it begins when its room has its turn, which nobody waits for
        await asyncio.sleep(0.01)
        first = (await server.http.get(where)).json()
        assert server.services.utterances
        await server.services.utterances.ended(reply.json()["utterance_id"])
        last = (await server.http.get(where)).json()
    assert (reply.status_code, reply.json()["status"], first["state"]) == (202, "queued", "speaking")
    assert (last["state"], last["error"]) == ("done", None)
    assert last["heard_seconds"] > 0.5


async def test_interrupt_and_priority_reach_the_queue() -> None:
    rooms = FakeRooms(0.2)
    async with fake_server(rooms=rooms) as server:
        long = asyncio.create_task(speak(server, "A long answer that is under way. " * 3, priority=1))
        await rooms.sounding.wait()
        await speak(server, "Later.", wait=False)
        await speak(server, "Now.", priority=1, interrupt=True)
        stopped = (await long).json()
    assert (stopped["status"], stopped["state"]) == ("stopped", "stopped")
    assert stopped["heard_seconds"] > 0
    assert [one.line.text[:4] for one in rooms.played] == ["A lo", "Now."]


async def test_a_room_or_one_utterance_is_stopped() -> None:
    async with fake_server(rooms=FakeRooms(0.2)) as server:
        first, second, third = [
            (await speak(server, "A long answer. " * 4, wait=False)).json()["utterance_id"] for _ in range(3)
        ]
        one = await server.http.post("/api/tts/stop", json={"utterance_id": second})
        room = await server.http.post("/api/tts/stop", json={"room_name": "lobby"})
        none = await server.http.post("/api/tts/stop", json={"room_name": "lobby"})
        again = await server.http.post("/api/tts/stop", json={"utterance_id": first})
    assert one.json() == {"status": "success", "stopped": [second]}
    assert room.json() == {"status": "success", "stopped": [first, third]}
    assert none.json() == {"status": "success", "stopped": []}
    assert again.json()["stopped"] == [first]


@pytest.mark.parametrize("body", [{}, {"room_name": "lobby", "utterance_id": "x"}])
async def test_stop_wants_one_of_both(body: dict[str, str]) -> None:
    async with fake_server(rooms=FakeRooms()) as server:
        reply = await server.http.post("/api/tts/stop", json=body)
    assert reply.status_code == 400 and "either room_name or utterance_id" in reply.json()["detail"]


async def test_an_unknown_utterance_is_404_also_where_there_are_no_rooms() -> None:
    for rooms in (FakeRooms(), None):
        async with fake_server(rooms=rooms) as server:
            asked = await server.http.get("/api/tts/utterances/nothing")
            stopped = await server.http.post("/api/tts/stop", json={"utterance_id": "nothing"})
        assert asked.status_code == stopped.status_code == 404
        assert asked.json()["error"]["code"] == "utterance_not_found"


async def test_livekit_away_is_503_and_says_so() -> None:
    rooms = FakeRooms(error=RoomUnavailable("LiveKit cannot be reached: see LIVEKIT_URL"))
    async with fake_server(rooms=rooms) as server:
        reply = await speak(server)
        health = (await server.http.get("/health")).json()
    assert reply.status_code == 503
    assert reply.json()["error"]["code"] == "room_unavailable" and reply.json()["error"]["retryable"]
    assert (health["status"], health["services"]["livekit"]) == ("degraded", False)


async def test_a_failed_utterance_tells_why_when_asked() -> None:
    async with fake_server(rooms=FakeRooms(error=RoomUnavailable("away"))) as server:
        ident = (await speak(server, wait=False)).json()["utterance_id"]
        assert server.services.utterances
        await server.services.utterances.ended(ident)
        found = (await server.http.get(f"/api/tts/utterances/{ident}")).json()
    assert found["state"] == "failed"
    assert found["error"] == {"code": "room_unavailable", "message": "away"}


async def test_refusals_come_before_anything_is_queued() -> None:
    rooms = FakeRooms()
    async with fake_server(rooms=rooms) as server:
        assert (await speak(server, voice_id="nobody", wait=False)).status_code == 404
        assert (await speak(server, top_p=0.5, wait=False)).status_code == 422
        assert (await speak(server, text="…", wait=False)).status_code == 400
        assert (await speak(server, room_name="\n", wait=False)).status_code == 400
        assert (await speak(server, priority=10)).status_code == 400
    assert rooms.played == []


@pytest.mark.parametrize(
    "fields",
    [
        *(
            {"room_name": "lobby", name: value}
            for name, value in (("audio_format", "wav"), ("sample_rate", 24_000))
        ),
        *({name: value} for name, value in (("priority", 1), ("interrupt", True), ("wait", False))),
    ],
)
async def test_a_field_that_would_be_ignored_is_refused(fields: dict[str, Any]) -> None:
    async with fake_server(rooms=FakeRooms()) as server:
        reply = await server.http.post(URL, json={"text": "Hello.", **fields})
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == [name for name in fields if name != "room_name"][0]


async def test_health_shows_what_goes_on_in_rooms() -> None:
    rooms = FakeRooms(0.2)
    async with fake_server(rooms=rooms) as server:
        for _ in range(2):
            await speak(server, wait=False)
        await rooms.sounding.wait()
        health = (await server.http.get("/health")).json()
    assert health["services"]["livekit"] is True
    assert health["rooms"] == {"joined": 1, "home": None, "reachable": True, "speaking": 1, "waiting": 1}
