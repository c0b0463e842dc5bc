"""A room that goes away, a server that dies or freezes: an end for every utterance, and a next one."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from livekit import api
from tests.june_in_rooms import June, heard, june
from tests.livekit_service import LiveKit
from tests.room_listener import Listener

pytestmark = pytest.mark.integration

LONG = "This is a long answer that takes its time, and then goes on for a while. " * 2
"""About nine seconds of tone."""


async def speaking(one: June, person: Listener) -> "asyncio.Task[Any]":
    """A long utterance, heard for a second already."""
    mark = person.mark()
    saying = asyncio.create_task(one.say(LONG))
    await person.hears(mark)
    await asyncio.sleep(1.0)
    return saying


async def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - LiveKit tells nobody
            await asyncio.sleep(0.02)


async def next_one_is_heard(one: June, person: Listener) -> None:
    await person.quiet()
    mark = person.mark()
    reply = await one.say("And this?")
    assert reply.status_code == 200, reply.text
    # after a fault the listener's jitter buffer may be long
    await person.hears(mark)


async def test_a_room_that_is_deleted_fails_the_utterance_and_the_next_one_joins_anew(
    livekit: LiveKit,
) -> None:
    async with june(livekit) as one:
        async with heard(livekit, one.room) as person:
            saying = await speaking(one, person)
            async with api.LiveKitAPI(
                livekit.url.replace("ws", "http", 1), livekit.key, livekit.secret
            ) as client:
                await client.room.delete_room(api.DeleteRoomRequest(room=one.room))
            began = time.monotonic()
            reply = await saying
        assert reply.status_code == 503 and "ROOM_DELETED" in reply.json()["detail"]
        assert time.monotonic() - began < 2
        assert one.server.engine.active == 0
        async with heard(livekit, one.room) as person:
            await next_one_is_heard(one, person)
        assert one.count('tts_room_joins_total{outcome="joined"}') == 2


async def test_somebody_else_with_its_name_ends_the_utterance_and_is_named_as_the_reason(
    livekit: LiveKit,
) -> None:
    async with june(livekit) as one, heard(livekit, one.room) as person:
        saying = await speaking(one, person)
        async with heard(livekit, one.room, "june-tts"):
            reply = await saying
    assert reply.status_code == 503 and "DUPLICATE_IDENTITY" in reply.json()["detail"]


async def test_a_server_that_dies_and_comes_back_is_spoken_to_again_where_the_utterance_was(
    livekit: LiveKit,
) -> None:
    async with june(livekit, reconnect_seconds=30.0) as one, heard(livekit, one.room) as person:
        saying = await speaking(one, person)
        livekit.kill()
        await asyncio.sleep(0.5)
        livekit.start()
        began = time.monotonic()
        mark = person.mark()
        await person.hears(mark, 30)
        reply = await saying
        assert reply.status_code == 200, reply.text
        # the silence was not spoken into: what was not heard before came after
        assert reply.json()["total_time_ms"] / 1000 > reply.json()["heard_seconds"] + 0.4
        assert time.monotonic() - began < 30
        assert one.count('tts_room_joins_total{outcome="joined"}') == 1
        await next_one_is_heard(one, person)


async def test_a_server_that_stays_away_fails_the_utterance_in_time_and_the_next_one_joins_anew(
    livekit: LiveKit,
) -> None:
    async with june(livekit, reconnect_seconds=1.5, join_seconds=3.0) as one:
        async with heard(livekit, one.room) as person:
            saying = await speaking(one, person)
            livekit.kill()
            began = time.monotonic()
            reply = await saying
            assert reply.status_code == 503, reply.text
            assert "did not come back within 1.5 s" in reply.json()["detail"]
            assert 1.4 < time.monotonic() - began < 4
            assert one.server.engine.active == 0
            away = await one.say()
            assert away.status_code == 503
        livekit.start()
        async with heard(livekit, one.room) as person:
            await next_one_is_heard(one, person)


async def test_a_server_that_freezes_for_a_while_is_spoken_to_again_when_it_answers(
    livekit: LiveKit,
) -> None:
    async with june(livekit) as one, heard(livekit, one.room) as person:
        saying = await speaking(one, person)
        livekit.pause()
        await asyncio.sleep(10)
        livekit.resume()
        reply = await asyncio.wait_for(saying, 30)
        assert reply.status_code == 200, reply.text
        # it noticed that nobody answered, and went on when somebody did
        assert reply.json()["total_time_ms"] / 1000 > reply.json()["heard_seconds"] + 8
        assert one.count('tts_room_joins_total{outcome="joined"}') == 1
        await next_one_is_heard(one, person)


async def test_an_end_that_went_into_a_frozen_server_is_said_again_when_it_answers(livekit: LiveKit) -> None:
    async with june(livekit) as one, heard(livekit, one.room) as person:
        mark = person.mark()
        # on a busy machine it is a second later that something was heard, and an end of 1.6 s goes unnoticed
        text = "This is an answer of about five seconds, and it does not take any longer than these."
        saying = asyncio.create_task(one.say(text))
        await person.hears(mark)
        await asyncio.sleep(0.5)
        livekit.pause()
        # all of it has been captured by then, and nothing of it is heard
        await asyncio.sleep(7)
        early = saying.done()
        livekit.resume()
        assert not early
        mark = person.mark()
        reply = await asyncio.wait_for(saying, 30)
        assert reply.status_code == 200, reply.text
        await person.hears(mark)
        assert reply.json()["total_time_ms"] / 1000 > reply.json()["heard_seconds"] + 3
        await next_one_is_heard(one, person)


async def test_a_server_that_stays_frozen_fails_the_utterance_in_time(livekit: LiveKit) -> None:
    async with june(livekit, reconnect_seconds=1.0) as one, heard(livekit, one.room) as person:
        saying = await speaking(one, person)
        livekit.pause()
        began = time.monotonic()
        reply = await asyncio.wait_for(saying, 30)
        assert reply.status_code == 503 and "did not come back" in reply.json()["detail"]
        assert time.monotonic() - began < 8
        livekit.resume()
        await next_one_is_heard(one, person)


async def test_joining_a_frozen_server_fails_in_time(livekit: LiveKit) -> None:
    async with june(livekit, join_seconds=1.0) as one:
        livekit.pause()
        began = time.monotonic()
        reply = await one.say()
        assert reply.status_code == 503 and "within 1 s" in reply.json()["detail"]
        assert time.monotonic() - began < 3
        livekit.resume()
        async with heard(livekit, one.room) as person:
            await next_one_is_heard(one, person)
            # the join that came too late has left again
            await until(lambda: len(person.room.remote_participants) == 1)


async def test_closing_in_mid_utterance_ends_it_and_leaves(livekit: LiveKit) -> None:
    async with june(livekit) as one, heard(livekit, one.room) as person:
        saying = await speaking(one, person)
        assert one.server.services.utterances
        await one.server.services.utterances.close(0.2)
        reply = await saying
        assert reply.status_code == 503 and "stopping" in reply.json()["detail"], reply.text
        await one.rooms.close()
        await until(lambda: not person.room.remote_participants, 3)
