"""The published livekit-plugins-elevenlabs, unmodified, with nothing but a base URL."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from livekit import rtc
from livekit.agents import APIStatusError, tts
from livekit.agents.types import USERDATA_TIMED_TRANSCRIPT, TimedString
from livekit.plugins import elevenlabs
from tests.e2e.idle import becomes_idle
from tests.e2e.page_server import serving
from tests.e2e.server_log import ended
from tests.listening import word_error

pytestmark = pytest.mark.e2e

SENTENCES = (
    "The train leaves the station at nine, and the children look out of the window.",
    "Then the sun comes out, and everybody is glad.",
)
TEXT = " ".join(SENTENCES)
LONG = " ".join([TEXT] * 10)
KEY = "right-key"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    with serving(folder, JUNE_ENGINES="piper,fake", JUNE_API_KEY=KEY) as address:
        yield address


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


def plugin(server: str, session: aiohttp.ClientSession, **options: Any) -> elevenlabs.TTS:
    """As it comes: MP3 at 22,050 Hz, its own voice and model, sentence by sentence."""
    return elevenlabs.TTS(base_url=f"{server}/v1", api_key=KEY, http_session=session, **options)


async def speak(speaker: tts.TTS[Any], text: str) -> tuple[rtc.AudioFrame, list[TimedString]]:
    """A turn whose text comes word by word: what is heard, and the words with their times."""
    frames, words = [], list[TimedString]()
    async with speaker.stream() as stream:
        for word in text.split(" "):
            stream.push_text(f"{word} ")
        stream.end_input()
        async for event in stream:
            frames.append(event.frame)
            words += event.frame.userdata.get(USERDATA_TIMED_TRANSCRIPT, [])
    return rtc.combine_audio_frames(frames), words


async def test_as_it_comes_a_text_is_heard(server: str, session: aiohttp.ClientSession) -> None:
    async with plugin(server, session) as june, june.synthesize(TEXT) as stream:
        frame = await stream.collect()
    assert frame.sample_rate == 22_050
    assert word_error(TEXT, frame.to_wav_bytes()) <= 0.25


@pytest.mark.parametrize("encoding", ["mp3_22050_32", "mp3_44100_64", "pcm_24000", "opus_48000_64"])
async def test_a_text_that_is_still_being_written_is_heard(
    server: str, session: aiohttp.ClientSession, encoding: Any
) -> None:
    async with plugin(server, session, encoding=encoding) as june:
        frame, _ = await speak(june, TEXT)
    assert frame.sample_rate == int(encoding.split("_")[1])
    assert word_error(TEXT, frame.to_wav_bytes()) <= 0.25


async def test_the_transcript_is_in_step_with_the_audio(server: str, session: aiohttp.ClientSession) -> None:
    async with plugin(server, session, encoding="pcm_24000", voice_id="joe") as june:
        frame, words = await speak(june, TEXT)
    assert "".join(words).split() == TEXT.split()
    starts = [word.start_time for word in words if isinstance(word.start_time, float)]
    assert len(starts) == len(words)
    assert starts == sorted(starts)
    second = "".join(words[: len(SENTENCES[0].split())])
    assert second.split() == SENTENCES[0].split()
    begin = starts[len(SENTENCES[0].split())]
    assert 0 < begin < frame.duration
    cut = bytes(frame.data)[2 * int(24_000 * (begin - 0.1)) :]
    rest = rtc.AudioFrame(cut, 24_000, 1, len(cut) // 2)
    assert word_error(SENTENCES[1], rest.to_wav_bytes()) <= 0.25


async def test_turns_share_one_socket_and_each_is_its_own(
    server: str, session: aiohttp.ClientSession
) -> None:
    async with plugin(server, session, encoding="pcm_24000") as june:
        june.prewarm()
        for sentence in (*SENTENCES, *SENTENCES):
            frame, _ = await speak(june, sentence)
            assert word_error(sentence, frame.to_wav_bytes()) <= 0.25
        async with asyncio.TaskGroup() as group:
            spoken = [group.create_task(speak(june, sentence)) for sentence in SENTENCES]
        for sentence, task in zip(SENTENCES, spoken, strict=True):
            assert word_error(sentence, task.result()[0].to_wav_bytes()) <= 0.25
        assert len(session.connector._conns) == 0 and len(session.connector._acquired) == 1  # type: ignore[union-attr]


async def test_a_chunk_schedule_changes_nothing_but_is_taken(
    server: str, session: aiohttp.ClientSession
) -> None:
    options = {"chunk_length_schedule": [50, 80], "encoding": "pcm_24000", "language": "en"}
    settings = elevenlabs.VoiceSettings(stability=0.5, similarity_boost=0.7, speed=1.2)
    async with plugin(server, session, voice_settings=settings, **options) as june:
        fast, _ = await speak(june, TEXT)
    async with plugin(server, session, encoding="pcm_24000") as june:
        usual, _ = await speak(june, TEXT)
    assert word_error(TEXT, fast.to_wav_bytes()) <= 0.25
    assert fast.duration == pytest.approx(
        usual.duration / 1.2, rel=0.16
    )  # two draws of the voice differ by as much


async def test_an_interruption_stops_the_work(
    server: str, session: aiohttp.ClientSession, folder: Path
) -> None:
    before = len(ended(folder))
    async with plugin(server, session, encoding="pcm_24000", voice_id="joe") as june:
        async with june.stream() as stream:
            stream.push_text(LONG)
            async for _ in stream:
                break
        assert (await speak(june, "Good morning."))[0].duration > 0.5
    assert await becomes_idle(server)
    assert len(ended(folder)) > before


async def test_first_audio_comes_long_before_the_last(server: str, session: aiohttp.ClientSession) -> None:
    began, first = time.monotonic(), 0.0
    async with plugin(server, session, encoding="pcm_24000") as june, june.stream() as stream:
        stream.push_text(LONG)
        stream.end_input()
        async for _ in stream:
            first = first or time.monotonic() - began
    assert first < 0.4 * (time.monotonic() - began)


@pytest.mark.parametrize(("options", "status"), [({"voice_id": "nobody"}, 404), ({"model": "gpt-9"}, 404)])
async def test_a_refusal_raises_with_its_status(
    server: str, session: aiohttp.ClientSession, options: dict[str, str], status: int
) -> None:
    logging.getLogger("livekit.agents").setLevel(logging.CRITICAL)
    async with plugin(server, session, **options) as june:
        for spoken in (speak(june, TEXT), june.synthesize(TEXT).collect()):
            with pytest.raises(APIStatusError) as refused:
                await spoken
            assert refused.value.status_code == status


async def test_voices_are_listed(server: str, session: aiohttp.ClientSession) -> None:
    june = plugin(server, session)
    async with june:
        found = await june.list_voices()
    assert {("joe", "premade"), ("fake", "premade")} <= {(voice.id, voice.category) for voice in found}
