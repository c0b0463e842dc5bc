"""The published livekit-plugins-fishaudio, unmodified, speaks with nothing but a base URL."""

import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import APIStatusError, tts, utils
from livekit.plugins import fishaudio
from tests.e2e.idle import becomes_idle
from tests.e2e.page_server import serving
from tests.listening import word_error
from tests.live_server import becomes, live_server

from june_tts.engine.fake import FakeEngine

pytestmark = pytest.mark.e2e

TEXT = "The train leaves the station in the morning. The children look out, and then the sun comes out again."
TURNS = 10


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("agents")) as address:
        yield address


@pytest.fixture(autouse=True)
async def session() -> AsyncIterator[None]:
    """An agent has one HTTP session for all of its plugins."""
    async with utils.http_context.open():
        yield


async def said(plugin: tts.TTS[Any], text: str = TEXT) -> rtc.AudioFrame:
    """One turn of an agent: words go in as a language model writes them."""
    async with plugin.stream() as stream:
        for at in range(0, len(text), 5):
            stream.push_text(text[at : at + 5])
        stream.end_input()
        return rtc.combine_audio_frames([event.frame async for event in stream])


async def test_as_it_comes_its_words_are_heard(server: str) -> None:
    async with fishaudio.TTS(base_url=server, api_key="any") as plugin:
        frame = await said(plugin)
        assert frame.sample_rate == 24_000
        assert word_error(TEXT, frame.to_wav_bytes()) <= 0.25


@pytest.mark.parametrize("container", ["pcm", "mp3", "opus"])
async def test_its_words_are_heard_in_every_format(
    server: str, container: fishaudio.models.OutputFormat
) -> None:
    async with fishaudio.TTS(
        base_url=server, api_key="any", output_format=container, speed=1.1, voice_id="joe"
    ) as plugin:
        assert word_error(TEXT, (await said(plugin)).to_wav_bytes()) <= 0.25


async def test_a_whole_text_is_heard_over_http(server: str) -> None:
    async with fishaudio.TTS(base_url=server, api_key="any") as plugin:
        async with plugin.synthesize(TEXT) as stream:
            frame = await stream.collect()
    assert word_error(TEXT, frame.to_wav_bytes()) <= 0.25


async def test_ten_turns_share_one_connection(caplog: pytest.LogCaptureFixture) -> None:
    async with live_server(FakeEngine(repeats="never")) as server:
        async with fishaudio.TTS(base_url=server.url, api_key="any", voice_id="fake") as plugin:
            lengths = {round((await said(plugin)).duration, 1) for _ in range(TURNS)}
        assert server.sockets == ["/v1/tts/live"]
        assert len(lengths) == 1 and lengths.pop() > 5
        assert server.fake.services.recorder.totals.failed == 0
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == []


async def test_an_interruption_stops_the_work_and_the_next_turn_is_heard() -> None:
    async with live_server(FakeEngine(step_seconds=0.02)) as server:
        async with fishaudio.TTS(base_url=server.url, api_key="any", voice_id="fake") as plugin:
            async with plugin.stream() as stream:
                stream.push_text(" ".join([TEXT] * 20))
                stream.end_input()
                await anext(aiter(stream))
            # the plugin lays the socket aside, and closes it when it needs one again
            assert (await said(plugin, "And on we go.")).duration > 0.5
            await becomes(lambda: server.fake.engine.active == 0)
        assert len(server.sockets) == 2
        assert server.fake.services.recorder.totals.cancelled == 1


async def test_a_voice_that_is_not_there_is_an_error(server: str) -> None:
    async with fishaudio.TTS(base_url=server, api_key="any", voice_id="nobody") as plugin:
        with pytest.raises(APIStatusError, match="reported an error"):
            await said(plugin)
    assert await becomes_idle(server)


async def test_the_key_is_asked_for(tmp_path: Path) -> None:
    async with live_server(api_key="right") as server:
        async with fishaudio.TTS(base_url=server.url, api_key="wrong", voice_id="fake") as plugin:
            with pytest.raises(APIStatusError) as refused:
                await said(plugin)
    assert refused.value.status_code == 401
    assert server.sockets == ["/v1/tts/live"]
