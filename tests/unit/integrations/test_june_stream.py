"""The plugin for LiveKit Agents: what goes over its socket, and what happens when that goes wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from livekit.agents import APIConnectionError, APIConnectOptions, APIStatusError, APITimeoutError, tts
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.plugins import june
from tests.june_socket import RATE, JuneSocket, june_socket

pytestmark = pytest.mark.unit

ONCE = APIConnectOptions(max_retry=0, timeout=2)
THRICE = APIConnectOptions(max_retry=3, timeout=2, retry_interval=0)
IMPATIENT = APIConnectOptions(max_retry=0, timeout=0.2)
AT_ONCE = 1.0
"""Seconds. For what must not wait for a timeout."""


@pytest.fixture
async def server() -> AsyncIterator[JuneSocket]:
    async with june_socket() as found:
        yield found


@asynccontextmanager
async def speaking(server: JuneSocket, voice: str = "joe", **options: Any) -> AsyncIterator[june.TTS]:
    async with aiohttp.ClientSession() as session:
        speaker = june.TTS(base_url=server.url, voice_id=voice, http_session=session, **options)
        try:
            yield speaker
        finally:
            await speaker.aclose()


async def said(
    speaker: june.TTS, *tokens: str, options: APIConnectOptions = ONCE
) -> list[tts.SynthesizedAudio]:
    """A whole turn."""
    async with asyncio.timeout(10), speaker.stream(conn_options=options) as stream:
        for token in tokens:
            stream.push_text(token)
        stream.end_input()
        return [event async for event in stream]


def seconds(events: list[tts.SynthesizedAudio]) -> float:
    return sum(event.frame.duration for event in events)


async def test_every_token_goes_up_when_it_is_written(server: JuneSocket) -> None:
    async with speaking(server, speed=1.5) as speaker, speaker.stream(conn_options=ONCE) as stream:
        stream.push_text("Good ")
        await server.told("text", "Good ")
        stream.push_text("morning.")
        await server.told("text", "morning.")
        opening = server.frames[0]
        assert (opening["text"], opening["voice_settings"]) == (" ", {"speed": 1.5})
        stream.end_input()
        await server.told("close_context", True)
        assert len({frame["context_id"] for frame in server.frames}) == 1


async def test_the_audio_and_the_words_of_the_whole_turn_come_down(server: JuneSocket) -> None:
    async with speaking(server) as speaker:
        events = await said(speaker, "Good ", "morn", "ing.")
    assert seconds(events) == pytest.approx(0.3, abs=0.02)
    assert {event.frame.sample_rate for event in events} == {RATE}
    words = [word for event in events for word in event.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])]
    assert words == ["Good ", "morning."]


async def test_a_flush_is_passed_on(server: JuneSocket) -> None:
    async with speaking(server) as speaker, speaker.stream(conn_options=ONCE) as stream:
        stream.push_text("Wait")
        stream.flush()
        await server.told("flush", True)


async def test_ten_turns_have_one_socket(server: JuneSocket) -> None:
    async with speaking(server) as speaker:
        for _ in range(10):
            assert await said(speaker, "Hello.")
        assert len(server.sockets) == 1


async def test_two_turns_at_once_have_a_socket_each_and_their_own_audio(server: JuneSocket) -> None:
    async with speaking(server) as speaker:
        one, two = await asyncio.gather(said(speaker, "Hello."), said(speaker, "Hello, ", "you."))
        assert [seconds(one), seconds(two)] == pytest.approx([0.1, 0.2], abs=0.02)
        assert len(server.sockets) == 2


async def test_a_stream_that_is_closed_early_tells_the_server_and_leaves_its_socket_to_the_next(
    server: JuneSocket,
) -> None:
    async with speaking(server) as speaker:
        async with speaker.stream(conn_options=ONCE) as stream:
            stream.push_text("A long story")
            await anext(stream)
        # for the server a second close is a cancel
        await server.told("close_context", True, times=2)
        assert await said(speaker, "Hello.")
        assert len(server.sockets) == 1


async def test_a_turn_that_is_over_is_not_cancelled(server: JuneSocket) -> None:
    async with speaking(server) as speaker:
        await said(speaker, "Hello.")
        await said(speaker, "Hello.")
    assert server.count("close_context", True) == 2


async def test_a_turn_without_text_says_nothing_to_the_server(server: JuneSocket) -> None:
    async with speaking(server) as speaker:
        assert await said(speaker) == []
    assert server.frames == []


async def test_a_text_without_a_sound_is_no_error(server: JuneSocket) -> None:
    async with speaking(server, "mute") as speaker:
        assert seconds(await said(speaker, "👍")) <= 0.02


async def test_another_voice_gets_another_socket_and_another_speed_does_not(server: JuneSocket) -> None:
    async with speaking(server) as speaker:
        await said(speaker, "Hello.")
        speaker.update_options(speed=2.0)
        await said(speaker, "Hello.")
        assert len(server.sockets) == 1
        assert server.count("voice_settings", {"speed": 2.0}) == 1
        speaker.update_options(voice_id="ann", language="en-GB")
        await said(speaker, "Hello.")
    assert [request.match_info["voice"] for request in server.requests] == ["joe", "ann"]
    assert server.requests[1].query["language_code"] == "en-GB"


async def test_the_first_turn_finds_the_socket_that_was_opened_before(server: JuneSocket) -> None:
    async with speaking(server, api_key="mine") as speaker:
        speaker.prewarm()
        await server.joined()
        await said(speaker, "Hello.")
    assert [request.headers["Authorization"] for request in server.requests] == ["Bearer mine"]


async def test_a_socket_that_was_closed_between_turns_is_replaced_unnoticed(
    server: JuneSocket,
) -> None:
    async with speaking(server) as speaker:
        await said(speaker, "Hello.")
        await server.sockets[0].close()
        assert await said(speaker, "Hello.")
        assert len(server.sockets) == 2


async def test_a_turn_that_is_cut_before_its_audio_is_said_again(server: JuneSocket) -> None:
    server.cuts = 2
    errors: list[tts.TTSError] = []
    async with speaking(server) as speaker:
        speaker.on("error", errors.append)
        assert seconds(await said(speaker, "Hello.", options=THRICE)) == pytest.approx(0.1, abs=0.02)
    assert [error.recoverable for error in errors] == [True, True]
    assert server.texts == ["Hello."] * 3


async def test_a_turn_that_is_cut_in_its_audio_is_an_error_and_is_not_said_twice(server: JuneSocket) -> None:
    async with speaking(server, "cut") as speaker:
        with pytest.raises(APIConnectionError):
            await said(speaker, "Hello.", options=THRICE)
    assert server.texts == ["Hello."]


@pytest.mark.parametrize(("status", "retryable"), [(401, False), (404, False), (429, True), (503, True)])
async def test_a_refusal_keeps_its_status(server: JuneSocket, status: int, retryable: bool) -> None:
    async with speaking(server, str(status), api_key="secret") as speaker:
        with pytest.raises(APIStatusError) as refused:
            await said(speaker, "Hello.")
    assert (refused.value.status_code, refused.value.retryable) == (status, retryable)
    assert "secret" not in repr(refused.value)


@pytest.mark.parametrize(("voice", "code", "retryable"), [("broken", 1011, True), ("wrong", 1008, False)])
async def test_a_turn_that_the_server_ends_with_an_error_leaves_the_socket_to_the_next(
    server: JuneSocket, voice: str, code: int, retryable: bool
) -> None:
    async with speaking(server, voice) as speaker:
        for _ in range(2):
            with pytest.raises(APIStatusError, match=f"it is {voice}") as failed:
                await said(speaker, "Hello.")
            assert (failed.value.status_code, failed.value.retryable) == (code, retryable)
    assert len(server.sockets) == 1


async def test_a_server_that_says_nothing_after_the_last_word_is_a_timeout(server: JuneSocket) -> None:
    async with speaking(server, "silent") as speaker:
        async with asyncio.timeout(AT_ONCE):
            with pytest.raises(APITimeoutError):
                await said(speaker, "Hello.", options=IMPATIENT)


async def test_a_writer_may_pause_for_longer_than_the_timeout(server: JuneSocket) -> None:
    async with speaking(server) as speaker, speaker.stream(conn_options=IMPATIENT) as stream:
        stream.push_text("Let me think. ")
        await asyncio.sleep(3 * IMPATIENT.timeout)
        stream.push_text("No.")
        stream.end_input()
        assert seconds([event async for event in stream]) == pytest.approx(0.2, abs=0.03)


async def test_no_server_at_all_is_a_connection_error_without_the_key() -> None:
    async with aiohttp.ClientSession() as session:
        nowhere = june.TTS(base_url="http://127.0.0.1:1", api_key="secret", http_session=session)
        with pytest.raises(APIConnectionError) as lost:
            await said(nowhere, "Hello.")
        assert "secret" not in str(lost.value)
        with pytest.raises(APIConnectionError):
            await nowhere.synthesize("Hello.", conn_options=ONCE).collect()
        await nowhere.aclose()
