"""livekit-plugins-june speaks through the server: heard words, one socket, interruptions, refusals."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import APIConnectOptions, APIStatusError, tts, utils
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT
from livekit.agents.voice.io import TimedString
from livekit.plugins import june
from tests.e2e.page_server import serving
from tests.listening import word_error
from tests.live_server import becomes, live_server

from june_tts.engine.fake import FakeEngine

pytestmark = pytest.mark.e2e

TEXT = "The train leaves at nine, and the children look out of the window. Then the sun comes out."
TURNS = 10
ONCE = APIConnectOptions(max_retry=0, timeout=10)
SOON = 2.0
"""Seconds, for what happens at once; generous, as tests share the machine."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("june")) as address:
        yield address


@pytest.fixture(autouse=True)
async def session() -> AsyncIterator[None]:
    """An agent has one HTTP session for all of its plugins."""
    async with utils.http_context.open():
        yield


async def said(plugin: tts.TTS[Any], text: str = TEXT) -> tuple[rtc.AudioFrame, list[TimedString]]:
    """One turn of an agent: words go in as a language model writes them."""
    async with plugin.stream(conn_options=ONCE) as stream:
        for at in range(0, len(text), 5):
            stream.push_text(text[at : at + 5])
        stream.end_input()
        frames = [event.frame async for event in stream]
    words = [word for frame in frames for word in frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])]
    return rtc.combine_audio_frames(frames), words


async def test_its_words_are_heard_and_come_back_as_written_with_their_times(server: str) -> None:
    async with june.TTS(base_url=server, voice_id="joe") as plugin:
        frame, words = await said(plugin)
    assert word_error(TEXT, frame.to_wav_bytes()) <= 0.25
    assert "".join(words).strip() == TEXT
    times = [(float(word.start_time or 0), float(word.end_time or 0)) for word in words]
    assert all(0 <= start <= end <= frame.duration for start, end in times)
    assert times == sorted(times)
    assert times[-1][1] > 0.8 * frame.duration


@pytest.mark.parametrize("rate", [8_000, 48_000])
async def test_its_words_are_heard_at_another_rate(server: str, rate: int) -> None:
    async with june.TTS(base_url=server, voice_id="joe", sample_rate=rate, speed=1.1) as plugin:
        frame, _ = await said(plugin)
    assert frame.sample_rate == rate
    assert word_error(TEXT, frame.to_wav_bytes()) <= 0.25


async def test_a_whole_text_is_heard_over_http(server: str) -> None:
    async with june.TTS(base_url=server, voice_id="joe") as plugin:
        async with plugin.synthesize(TEXT) as stream:
            frame = await stream.collect()
    assert word_error(TEXT, frame.to_wav_bytes()) <= 0.25


async def test_speech_begins_while_the_text_is_still_being_written(server: str) -> None:
    async with june.TTS(base_url=server, voice_id="joe") as plugin:
        async with plugin.stream(conn_options=ONCE) as stream:
            stream.push_text("Let me see. One moment, please, while I")
            first = await asyncio.wait_for(anext(stream), SOON)
            assert first.frame.duration > 0


async def test_ten_turns_share_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with live_server() as server:
        async with june.TTS(base_url=server.url, voice_id="fake") as plugin:
            plugin.prewarm()
            lengths = {round((await said(plugin))[0].duration, 2) for _ in range(TURNS)}
        assert server.sockets == ["/v1/text-to-speech/fake/multi-stream-input"]
        assert len(lengths) == 1
        assert server.fake.services.recorder.totals.failed == 0
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == []


async def test_what_an_agent_says_again_comes_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("june_tts.service.live.SETTLE_SECONDS", 5.0)  # tests share the machine
    text = "Thanks for calling Acme. How can I help you?"
    async with live_server() as server, june.TTS(base_url=server.url, voice_id="fake") as plugin:
        turns = []
        for _ in range(4):
            async with plugin.stream(conn_options=ONCE) as stream:
                # as the framework's `say` does
                stream.push_text(text)
                stream.end_input()
                frames = [event.frame async for event in stream]
            turns.append("".join(w for f in frames for w in f.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])))
        registry = server.fake.services.metrics.registry
        assert registry.get_sample_value("tts_phrase_hits_total", {"level": "memory"}) == 2
    assert [turn.strip() for turn in turns] == [text] * 4


@pytest.mark.parametrize("ended", [True, False], ids=["after the last word", "while it is written"])
async def test_an_interruption_stops_the_work_and_the_next_turn_has_the_same_socket(ended: bool) -> None:
    async with live_server(FakeEngine(step_seconds=0.02)) as server:
        async with june.TTS(base_url=server.url, voice_id="fake") as plugin:
            async with plugin.stream(conn_options=ONCE) as stream:
                stream.push_text(" ".join([TEXT] * 20))
                if ended:
                    stream.end_input()
                await anext(stream)
                assert server.fake.engine.active == 1
            await becomes(lambda: server.fake.engine.active == 0, SOON)
            frame, words = await said(plugin, "And on we go.")
            assert "".join(words).split() == ["And", "on", "we", "go."]
        assert len(server.sockets) == 1


async def test_an_agent_that_is_gone_leaves_no_work() -> None:
    async with live_server(FakeEngine(step_seconds=0.02)) as server:
        async with june.TTS(base_url=server.url, voice_id="fake") as plugin:
            stream = plugin.stream(conn_options=ONCE)
            stream.push_text(" ".join([TEXT] * 20))
            await anext(stream)
        await becomes(lambda: server.fake.engine.active == 0, SOON)
        await stream.aclose()


async def test_a_text_without_a_sound_is_a_turn_without_an_error(server: str) -> None:
    async with june.TTS(base_url=server, voice_id="joe") as plugin:
        frame, words = await said(plugin, "… 👍")
    assert (frame.duration < 0.05, words) == (True, [])


async def test_a_voice_that_is_not_there_is_refused_once_with_its_name() -> None:
    async with live_server() as server, june.TTS(base_url=server.url, voice_id="nobody") as plugin:
        with pytest.raises(APIStatusError) as refused:
            await said(plugin)
        assert (refused.value.status_code, refused.value.retryable) == (404, False)
        with pytest.raises(APIStatusError, match="'nobody'") as refused:
            await plugin.synthesize("Hello.").collect()
        assert (refused.value.status_code, refused.value.retryable) == (404, False)
        assert refused.value.request_id


async def test_the_key_is_asked_for() -> None:
    async with live_server(api_key="right") as server:
        async with june.TTS(base_url=server.url, voice_id="fake", api_key="wrong") as plugin:
            with pytest.raises(APIStatusError) as refused:
                await said(plugin)
            assert (refused.value.status_code, refused.value.retryable) == (401, False)
        async with june.TTS(base_url=server.url, voice_id="fake", api_key="right") as plugin:
            assert (await said(plugin, "Hello."))[0].duration > 0


async def test_a_full_server_is_worth_another_try() -> None:
    async with live_server(FakeEngine(step_seconds=0.02), max_streams=1) as server:
        async with june.TTS(base_url=server.url, voice_id="fake") as plugin:
            async with plugin.stream(conn_options=ONCE) as stream:
                stream.push_text(" ".join([TEXT] * 20))
                await anext(stream)
                with pytest.raises(APIStatusError) as refused:
                    await said(plugin)
                assert refused.value.retryable


async def test_an_engine_that_fails_is_worth_another_try() -> None:
    async with live_server(FakeEngine(fail_at=0)) as server:
        async with june.TTS(base_url=server.url, voice_id="fake") as plugin:
            with pytest.raises(APIStatusError) as failed:
                await said(plugin)
            assert failed.value.retryable
        assert len(server.sockets) == 1
