"""Pipecat's OpenAI service, unmodified, in a pipeline that speaks through the server."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import openai
import pytest
from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.services.openai.tts import VALID_VOICES, OpenAITTSService
from pipecat.tests.utils import SleepFrame
from tests.e2e.idle import becomes_idle
from tests.e2e.page_server import serving
from tests.e2e.server_log import ended
from tests.listening import word_error
from tests.pipecat_speech import RATE, spoken_by

pytestmark = pytest.mark.e2e

TEXT = "The train leaves the station at nine, and the children look out of the window."
LONG = " ".join([TEXT] * 40)
KEY = "right-key"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pipecat")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    settings = {"JUNE_ENGINES": "piper,fake", "JUNE_VOICE_ALIASES": "onyx=fake", "JUNE_API_KEY": KEY}
    with serving(folder, **settings) as address:
        yield address


@pytest.fixture
async def http() -> AsyncIterator[openai.DefaultAsyncHttpxClient]:
    """Pipecat never closes the client that it makes itself, and an open socket is a warning here."""
    async with openai.DefaultAsyncHttpxClient() as client:
        yield client


def service(
    server: str, http: openai.DefaultAsyncHttpxClient, voice: str = "nova", key: str = KEY
) -> OpenAITTSService:
    return OpenAITTSService(
        base_url=f"{server}/v1",
        api_key=key,
        http_client=http,
        settings=OpenAITTSService.Settings(voice=voice),
    )


async def test_its_words_are_heard_between_start_and_stop(
    server: str, http: openai.DefaultAsyncHttpxClient, folder: Path
) -> None:
    before = len(ended(folder))
    spoken = await spoken_by(service(server, http), TEXT)
    assert spoken.errors == []
    assert {frame.sample_rate for frame in spoken.audio} == {RATE}
    assert word_error(TEXT, spoken.wav()) <= 0.25
    (made,) = ended(folder)[before:]
    assert spoken.seconds == pytest.approx(float(made["audio_seconds"]), abs=0.05)
    kinds = (TTSStartedFrame, TTSAudioRawFrame, TTSStoppedFrame)
    order = [type(frame) for frame in spoken.down if isinstance(frame, kinds)]
    assert order == [TTSStartedFrame, *[TTSAudioRawFrame] * len(spoken.audio), TTSStoppedFrame]


async def test_several_utterances_are_spoken_in_their_order(
    server: str, http: openai.DefaultAsyncHttpxClient
) -> None:
    said = ["The children look out of the window.", "Then the sun comes out.", TEXT]
    spoken = await spoken_by(service(server, http), *said)
    assert word_error(" ".join(said), spoken.wav()) <= 0.25


@pytest.mark.parametrize("voice", sorted(VALID_VOICES))
async def test_each_voice_that_it_knows_is_spoken(
    server: str, http: openai.DefaultAsyncHttpxClient, voice: str
) -> None:
    spoken = await spoken_by(service(server, http, voice), "Good morning.")
    assert spoken.errors == []
    assert spoken.seconds > 0.5


async def test_a_voice_that_it_knows_can_stand_for_another(
    server: str, http: openai.DefaultAsyncHttpxClient, folder: Path
) -> None:
    before = len(ended(folder))
    await spoken_by(service(server, http, "onyx"), "Good morning.")
    await spoken_by(service(server, http, "nova"), "Good morning.")
    assert [line["voice_id"] for line in ended(folder)[before:]] == ["fake", "joe"]


async def test_an_interruption_stops_the_audio_and_the_work(
    server: str, http: openai.DefaultAsyncHttpxClient
) -> None:
    sent: tuple[Frame, ...] = (TTSSpeakFrame(LONG), SleepFrame(1.0), InterruptionFrame())
    spoken = await spoken_by(service(server, http), *sent)
    assert spoken.seconds < 150
    assert await becomes_idle(server)
    async with httpx.AsyncClient(base_url=server, headers={"Authorization": f"Bearer {KEY}"}) as client:
        assert (await client.get("/stats")).json()["cancelled"] >= 1


async def test_a_refusal_reaches_the_pipeline_with_its_reason(
    server: str, http: openai.DefaultAsyncHttpxClient
) -> None:
    spoken = await spoken_by(service(server, http, key="wrong"), TEXT)
    assert spoken.audio == []
    assert any("API key is wrong" in error for error in spoken.errors), spoken.errors
