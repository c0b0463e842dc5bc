"""The published livekit-plugins-openai, unmodified, speaks through the server with nothing but a base URL."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
from livekit import rtc
from livekit.agents import APIStatusError, tokenize, tts
from livekit.agents.metrics import TTSMetrics
from livekit.plugins import openai
from tests.e2e.idle import becomes_idle
from tests.e2e.page_server import serving
from tests.e2e.server_log import seconds_made
from tests.listening import word_error

pytestmark = pytest.mark.e2e

TEXT = "The train leaves the station at nine, and the children look out of the window."
LONG = " ".join([TEXT] * 12)
RATE = 24_000
PREWARM_SECONDS = 5.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    with serving(folder) as address:
        yield address


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The plugin finds nothing to warn of: not an absent request id, not a retry."""
    yield
    records = caplog.get_records("call")
    assert [record.getMessage() for record in records if record.levelno >= logging.WARNING] == []


@pytest.fixture
async def plugin(server: str) -> AsyncIterator[openai.TTS]:
    """As it comes: events, `gpt-4o-mini-tts`, the voice `ash`, MP3."""
    made = openai.TTS(base_url=f"{server}/v1", api_key="any")
    async with made:
        yield made


def misheard(frame: rtc.AudioFrame) -> float:
    return word_error(TEXT, frame.to_wav_bytes())


async def test_as_it_comes_its_words_are_heard(plugin: openai.TTS) -> None:
    async with plugin.synthesize(TEXT) as stream:
        frame = await stream.collect()
    assert frame.sample_rate == RATE
    assert misheard(frame) <= 0.25


@pytest.mark.parametrize("container", ["mp3", "pcm", "wav", "opus", "aac", "flac"])
@pytest.mark.parametrize("model", ["gpt-4o-mini-tts", "tts-1"])
async def test_events_and_raw_audio_decode_in_every_format(
    server: str, folder: Path, model: str, container: str
) -> None:
    made = openai.TTS(
        base_url=f"{server}/v1", api_key="any", model=model, voice="joe", response_format=container
    )
    async with made, made.synthesize(TEXT) as stream:
        events = [event async for event in stream]
    heard = rtc.combine_audio_frames([event.frame for event in events])
    assert misheard(heard) <= 0.25
    # codecs work in blocks of up to 50 ms; at another rate than the plugin takes it for, it would be 8 % off
    assert heard.duration == pytest.approx(await seconds_made(folder, events[0].request_id), abs=0.1)


@pytest.mark.parametrize("model", ["gpt-4o-mini-tts", "tts-1"])
@pytest.mark.parametrize("container", ["mp3", "pcm"])
async def test_it_plays_while_the_rest_is_being_made(server: str, model: str, container: str) -> None:
    made = openai.TTS(base_url=f"{server}/v1", api_key="any", model=model, response_format=container)
    began = time.monotonic()
    first, heard = 0.0, 0.0
    async with made, made.synthesize(LONG) as stream:
        async for event in stream:
            first = first or time.monotonic() - began
            heard += event.frame.duration
    assert heard > 40
    assert first < 0.4 * (time.monotonic() - began)


async def test_each_request_has_the_servers_id(plugin: openai.TTS) -> None:
    ids = set()
    for _ in range(2):
        async with plugin.synthesize("Short.") as stream:
            ids |= {event.request_id async for event in stream}
    assert len(ids) == 2
    assert "unknown" not in ids


async def test_it_counts_what_was_used(plugin: openai.TTS) -> None:
    counted: list[TTSMetrics] = []
    plugin.on("metrics_collected", counted.append)
    async with plugin.synthesize(TEXT) as stream:
        await stream.collect()
    (metrics,) = counted
    assert metrics.characters_count == len(TEXT)
    assert metrics.input_tokens and metrics.output_tokens
    assert metrics.audio_duration > 3


async def test_the_warmed_connection_is_the_one_that_speaks(server: str, plugin: openai.TTS) -> None:
    plugin.prewarm()
    warm = await connections(server)
    async with plugin.synthesize("Short.") as stream:
        await stream.collect()
    assert len(warm) == 1
    assert await connections(server) == warm


async def connections(server: str) -> set[int]:
    """Our ports of the connections to the server, as soon as there is one."""
    port = int(server.rsplit(":", 1)[1])
    end = time.monotonic() + PREWARM_SECONDS
    found: set[int] = set()
    while not found and time.monotonic() < end:
        await asyncio.sleep(0.05)
        found = {
            connection.laddr.port
            for connection in psutil.Process().net_connections("tcp")
            if connection.status == psutil.CONN_ESTABLISHED and connection.raddr.port == port
        }
    return found


async def test_an_interruption_stops_the_work(server: str, plugin: openai.TTS) -> None:
    async with plugin.synthesize(LONG) as stream:
        async for _ in stream:
            break
    assert await becomes_idle(server)


async def test_a_refusal_says_why_and_is_not_tried_again(server: str) -> None:
    made = openai.TTS(base_url=f"{server}/v1", api_key="any", voice="nobody")
    failed: list[tts.TTSError] = []
    made.on("error", failed.append)
    with pytest.raises(APIStatusError, match="nobody") as refused:
        async with made, made.synthesize(TEXT) as stream:
            await stream.collect()
    assert refused.value.status_code == 404
    assert [error.recoverable for error in failed] == [False]


async def test_an_agents_sentences_are_spoken_in_their_order(plugin: openai.TTS) -> None:
    adapter = tts.StreamAdapter(tts=plugin, sentence_tokenizer=tokenize.basic.SentenceTokenizer())
    said = f"{TEXT} Then the sun comes out. Everybody is happy about the good weather today."
    frames = []
    async with adapter.stream() as stream:
        for word in said.split():
            stream.push_text(word + " ")
        stream.end_input()
        frames = [event.frame async for event in stream]
    assert word_error(said, rtc.combine_audio_frames(frames).to_wav_bytes()) <= 0.25
