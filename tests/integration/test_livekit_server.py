"""The livekit-server of the tests carries sound between two clients, dies and comes back where it was."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from uuid import uuid4

import numpy as np
import pytest
from livekit import api, rtc
from tests.livekit_service import LiveKit

pytestmark = pytest.mark.integration

RATE = 48_000
FRAME = RATE // 50
TIMEOUT_SECONDS = 15


@pytest.fixture
def room() -> str:
    return f"room-{uuid4().hex[:8]}"


def token(server: LiveKit, room: str, identity: str) -> str:
    minted = api.AccessToken(server.key, server.secret).with_identity(identity)
    return minted.with_grants(api.VideoGrants(room_join=True, room=room)).to_jwt()


@asynccontextmanager
async def joined(server: LiveKit, room: str, identity: str) -> AsyncIterator[rtc.Room]:
    participant = rtc.Room()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await participant.connect(server.url, token(server, room, identity))
    try:
        yield participant
    finally:
        await participant.disconnect()


async def publish_tone(participant: rtc.Room) -> None:
    """Until it is cancelled."""
    source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
    track = rtc.LocalAudioTrack.create_audio_track("tone", source)
    await participant.local_participant.publish_track(track)
    tone = (8000 * np.sin(2 * np.pi * 500 * np.arange(FRAME) / RATE)).astype(np.int16)
    while True:
        await source.capture_frame(rtc.AudioFrame(tone.tobytes(), RATE, 1, FRAME))


async def loudest_of(participant: rtc.Room) -> int:
    """Of the first frames that are no silence."""
    subscribed: asyncio.Future[rtc.RemoteTrack] = asyncio.get_running_loop().create_future()
    participant.on("track_subscribed", lambda track, *_: subscribed.set_result(track))
    stream = rtc.AudioStream(await subscribed, sample_rate=RATE, num_channels=1)
    async with aclosing(stream):
        async for event in stream:
            peak = int(np.abs(np.frombuffer(event.frame.data, np.int16)).max())
            if peak > 4000:
                return peak
    raise AssertionError("the track ended")


async def test_what_one_client_plays_another_hears(livekit: LiveKit, room: str) -> None:
    async with joined(livekit, room, "listener") as listener, joined(livekit, room, "speaker") as speaker:
        playing = asyncio.create_task(publish_tone(speaker))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            assert await loudest_of(listener) < 12_000
        playing.cancel()


async def test_a_killed_server_is_gone_and_comes_back_at_its_address(livekit: LiveKit, room: str) -> None:
    address = livekit.url
    livekit.kill()
    assert not livekit.answers()
    livekit.start()
    assert livekit.url == address
    async with joined(livekit, room, "after") as participant:
        assert participant.isconnected()


async def test_a_paused_server_is_silent_until_it_is_resumed(livekit: LiveKit) -> None:
    livekit.pause()
    assert not livekit.answers(0.3)
    livekit.resume()
    assert livekit.answers(5)


async def test_a_token_of_another_secret_is_refused(livekit: LiveKit, room: str) -> None:
    wrong = api.AccessToken(livekit.key, "another-secret-that-is-long-enough-for-this")
    wrong.with_identity("nobody").with_grants(api.VideoGrants(room_join=True, room=room))
    with pytest.raises(rtc.ConnectError):
        await rtc.Room().connect(livekit.url, wrong.to_jwt())
