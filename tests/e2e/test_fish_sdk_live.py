"""fish-audio-sdk's WebSocket calls, old and new, unmodified: words go in while they are written."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import fish_audio_sdk
import fishaudio
import pytest
from fish_audio_sdk.exceptions import WebSocketErr
from fishaudio.exceptions import WebSocketError
from fishaudio.types import FlushEvent
from tests.e2e.idle import becomes_idle
from tests.e2e.page_server import serving
from tests.listening import word_error
from tests.wav_bytes import wav

pytestmark = pytest.mark.e2e

KEY = "right-key"
TEXT = "The train leaves the station in the morning, and all the children look out of the window."
LONG = " ".join([TEXT] * 40)
RATE = 44_100
"""Hz, where a request does not say."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("live"), JUNE_API_KEY=KEY) as address:
        yield address


@pytest.fixture
def old(server: str) -> Iterator[fish_audio_sdk.WebSocketSession]:
    with fish_audio_sdk.WebSocketSession(KEY, base_url=server) as session:
        yield session


@pytest.fixture
def new(server: str) -> Iterator[fishaudio.FishAudio]:
    client = fishaudio.FishAudio(api_key=KEY, base_url=server)
    yield client
    client.close()


def tokens() -> Iterator[str]:
    """As a language model writes: bits of words, with their blanks before them."""
    for at in range(0, len(TEXT), 5):
        yield TEXT[at : at + 5]


async def tokens_in_time() -> AsyncIterator[str]:
    for token in tokens():
        await asyncio.sleep(0.005)
        yield token


def test_the_old_sdk_says_its_words(old: fish_audio_sdk.WebSocketSession) -> None:
    request = fish_audio_sdk.TTSRequest(text="", format="wav")
    assert word_error(TEXT, b"".join(old.tts(request, tokens()))) <= 0.25


async def test_the_old_sdk_says_its_words_asynchronously(server: str) -> None:
    request = fish_audio_sdk.TTSRequest(text="", format="pcm", prosody=fish_audio_sdk.Prosody(speed=0.9))
    async with fish_audio_sdk.AsyncWebSocketSession(KEY, base_url=server) as session:
        audio = [part async for part in session.tts(request, tokens_in_time(), backend="s1")]
    assert word_error(TEXT, wav(b"".join(audio), RATE)) <= 0.25


def test_one_session_of_the_old_sdk_speaks_turn_after_turn(old: fish_audio_sdk.WebSocketSession) -> None:
    request = fish_audio_sdk.TTSRequest(text="", reference_id="joe")
    assert all(word_error(TEXT, b"".join(old.tts(request, tokens()))) <= 0.25 for _ in range(2))


def test_the_old_sdk_is_told_of_a_refusal(old: fish_audio_sdk.WebSocketSession) -> None:
    with pytest.raises(WebSocketErr):
        list(old.tts(fish_audio_sdk.TTSRequest(text="", reference_id="nobody"), tokens()))


@pytest.mark.parametrize("format", ["mp3", "wav", "opus"])
def test_the_new_sdk_says_its_words_in_every_format(
    new: fishaudio.FishAudio, format: fishaudio.types.AudioFormat
) -> None:
    audio = b"".join(new.tts.stream_websocket(tokens(), format=format, speed=1.0))
    assert word_error(TEXT, audio) <= 0.25


async def test_the_new_sdk_says_its_words_asynchronously_with_flushes(server: str) -> None:
    async def written() -> AsyncIterator[str | FlushEvent]:
        async for token in tokens_in_time():
            yield token
        yield FlushEvent()
        yield " Then the sun comes out."

    async with fishaudio.AsyncFishAudio(api_key=KEY, base_url=server) as client:
        config = fishaudio.TTSConfig(format="wav", sample_rate=24_000, latency="normal")
        stream = client.tts.stream_websocket(written(), config=config, model="s1")
        audio = b"".join([part async for part in stream])
    assert word_error(f"{TEXT} Then the sun comes out.", audio) <= 0.25


async def test_the_first_audio_comes_while_the_rest_is_still_being_written(server: str) -> None:
    heard: list[float] = []
    written: list[float] = []

    async def slowly() -> AsyncIterator[str]:
        for word in TEXT.split(" "):
            await asyncio.sleep(0.15)
            written.append(time.monotonic())
            yield f"{word} "

    async with fishaudio.AsyncFishAudio(api_key=KEY, base_url=server) as client:
        async for _ in client.tts.stream_websocket(slowly(), format="pcm"):
            heard.append(time.monotonic())
    assert heard[0] < written[-1]


def test_the_new_sdk_is_told_of_a_refusal(new: fishaudio.FishAudio) -> None:
    with pytest.raises(WebSocketError):
        list(new.tts.stream_websocket(tokens(), reference_id="nobody"))


async def test_a_client_that_leaves_stops_the_work(server: str) -> None:
    async with fishaudio.AsyncFishAudio(api_key=KEY, base_url=server) as client:
        stream = client.tts.stream_websocket(_one(LONG), format="wav")
        async for _ in stream:
            break
        with suppress(BaseExceptionGroup):  # the SDK's own, of a generator that is closed
            await stream.aclose()
    assert await becomes_idle(server)


async def _one(text: str) -> AsyncIterator[str]:
    yield text


def test_recordings_are_refused_where_no_voice_can_speak_like_them(
    new: fishaudio.FishAudio, tmp_path: Path
) -> None:
    references = [fishaudio.ReferenceAudio(audio=b"x" * 300_000, text="y")]
    with pytest.raises(WebSocketError):
        list(new.tts.stream_websocket(tokens(), references=references))
