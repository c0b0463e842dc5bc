"""Rooms are joined once, kept warm, reached through tokens of either kind, and left."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from livekit import api, rtc
from tests.june_in_rooms import IDENTITY, heard, june
from tests.livekit_service import LiveKit

from june_tts.livekit.tokens import Mint, Orchestrator

pytestmark = pytest.mark.integration


async def participants(livekit: LiveKit, room: str) -> list[str]:
    """Who is in the room, as the server knows."""
    async with api.LiveKitAPI(livekit.url.replace("ws", "http", 1), livekit.key, livekit.secret) as client:
        found = await client.room.list_participants(api.ListParticipantsRequest(room=room))
        return sorted(one.identity for one in found.participants)


async def test_a_room_that_two_ask_for_at_once_is_joined_once(livekit: LiveKit) -> None:
    async with june(livekit) as one:
        replies = await asyncio.gather(one.say("First."), one.say("Second."))
        assert [reply.status_code for reply in replies] == [200, 200]
        assert one.count('tts_room_joins_total{outcome="joined"}') == 1
        assert await participants(livekit, one.room) == [IDENTITY]


async def test_rooms_asked_for_while_another_joins_it_are_joined_once(livekit: LiveKit, room: str) -> None:
    async with june(livekit, home=room, room=room) as one:
        assert (await one.say("First.")).status_code == 200
        assert one.count('tts_room_joins_total{outcome="joined"}') == 1
        assert one.rooms.state.home is True


async def test_june_is_in_the_room_under_its_name_and_may_do_no_more_than_speak(livekit: LiveKit) -> None:
    async with june(livekit) as one, heard(livekit, one.room) as person:
        assert (await one.say()).status_code == 200
        (there,) = person.room.remote_participants.values()
        may = there.permissions
        publications = list(there.track_publications.values())
    assert there.identity == IDENTITY
    assert may and may.can_publish and may.can_publish_data and not may.can_subscribe
    assert [track.source for track in publications] == [rtc.TrackSource.SOURCE_MICROPHONE]


async def test_a_room_is_left_when_it_has_been_silent_for_long_enough(livekit: LiveKit) -> None:
    async with june(livekit, warm_seconds=0.5) as one, heard(livekit, one.room) as person:
        for _ in range(2):
            await one.say("Hi.")
            await asyncio.sleep(0.2)
        assert len(person.room.remote_participants) == 1
        await asyncio.sleep(0.8)
        assert len(person.room.remote_participants) == 0
        assert one.count("tts_rooms") == 0
        assert (await one.say("Hi.")).status_code == 200
        assert one.count('tts_room_joins_total{outcome="joined"}') == 2


async def test_the_longest_idle_room_makes_place_for_a_new_one_and_one_in_use_does_not(
    livekit: LiveKit,
) -> None:
    async with june(livekit, most=2) as one:
        for name in ("a", "b", "c"):
            assert (await one.say("Hi.", room_name=f"{one.room}-{name}")).status_code == 200
        assert one.count("tts_rooms") == 2
        assert await participants(livekit, f"{one.room}-a") == []
        long = "A long answer that takes its time. " * 2
        busy = [asyncio.create_task(one.say(long, room_name=f"{one.room}-{name}")) for name in ("b", "c")]
        await asyncio.sleep(0.3)
        refused = await one.say("Hi.", room_name=f"{one.room}-d")
        assert refused.status_code == 503 and "JUNE_MAX_ROOMS" in refused.json()["detail"]
        assert "retry-after" in refused.headers
        assert [(await reply).status_code for reply in busy] == [200, 200]


async def test_a_room_of_its_own_is_joined_at_start_and_never_left(livekit: LiveKit, room: str) -> None:
    async with heard(livekit, room) as person, june(livekit, home=room, room=room, warm_seconds=0.1) as one:
        await asyncio.wait_for(person.listening.wait(), 10)
        await one.say("Hi.")
        await asyncio.sleep(0.5)
        assert len(person.room.remote_participants) == 1
        health = (await one.server.http.get("/health")).json()
    assert health["rooms"]["home"] is True and health["services"]["livekit"] is True


async def test_a_server_that_is_away_at_start_is_joined_when_it_comes(livekit: LiveKit, room: str) -> None:
    livekit.kill()
    async with june(livekit, home=room, room=room) as one:
        began = time.monotonic()
        refused = await one.say()
        assert refused.status_code == 503 and refused.json()["error"]["code"] == "room_unavailable"
        assert "LIVEKIT_URL" in refused.json()["detail"]
        assert time.monotonic() - began < 8
        health = (await one.server.http.get("/health")).json()
        assert (health["status"], health["rooms"]["home"]) == ("degraded", False)
        livekit.start()
        async with asyncio.timeout(15):
            while not one.rooms.state.home:  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.1)
        assert one.count('tts_room_joins_total{outcome="failed"}') >= 1
        assert (await one.say()).status_code == 200


async def test_a_refused_token_is_told_without_the_token(
    livekit: LiveKit, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = Mint(livekit.url, livekit.key, "not-the-secret-of-this-server-at-all", IDENTITY)
    async with june(livekit, source=wrong) as one:
        refused = await one.say()
        assert refused.status_code == 503
        assert "refused the token" in refused.json()["detail"]
        assert one.server.services.admission.active == 0
    assert "eyJ" not in refused.text + caplog.text


@asynccontextmanager
async def orchestrator(
    livekit: LiveKit, shape: str, asked: list[dict[str, str]]
) -> AsyncIterator[Orchestrator]:
    """What answers at ORCHESTRATOR_URL, in one of the shapes that there are."""

    async def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        asked.append(body)
        ticket = await Mint("", livekit.key, livekit.secret, body["participantName"]).ticket(body["roomName"])
        return httpx.Response(200, json={"token": ticket.token, shape: livekit.url})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        yield Orchestrator("http://orchestrator", IDENTITY, None, client)


@pytest.mark.parametrize("shape", ["livekitUrl", "ws_url"])
async def test_a_token_of_the_orchestrator_opens_the_room_and_is_asked_for_once(
    livekit: LiveKit, shape: str
) -> None:
    asked: list[dict[str, str]] = []
    async with (
        orchestrator(livekit, shape, asked) as source,
        june(livekit, source=source, warm_seconds=0) as one,
        heard(livekit, one.room) as person,
    ):
        for _ in range(2):
            assert (await one.say("Hi.")).status_code == 200
            await asyncio.sleep(0.2)
        assert person.heard_at()
        assert one.count('tts_room_joins_total{outcome="joined"}') == 2
    assert asked == [{"roomName": one.room, "participantName": IDENTITY}]


async def test_leaving_is_seen_by_everybody_at_once(livekit: LiveKit) -> None:
    async with june(livekit) as one, heard(livekit, one.room) as person:
        await one.say("Hi.")
        await one.rooms.close()
        await asyncio.sleep(0.2)
        assert len(person.room.remote_participants) == 0
