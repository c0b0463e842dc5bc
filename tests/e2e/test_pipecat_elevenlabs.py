"""Pipecat's two ElevenLabs services, unmodified, in a pipeline that speaks through the server."""

import time
from collections.abc import AsyncIterator, Iterator, Sequence

import aiohttp
import pytest
from pipecat.frames.frames import (
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TTSSpeakFrame,
    TTSTextFrame,
)
from pipecat.services.elevenlabs.tts import ElevenLabsHttpTTSService, ElevenLabsTTSService
from pipecat.services.tts_service import TextAggregationMode, TTSService
from pipecat.tests.utils import SleepFrame
from tests.e2e.idle import becomes_idle
from tests.e2e.page_server import serving
from tests.listening import word_error
from tests.pipecat_speech import Spoken, spoken_by

pytestmark = pytest.mark.e2e

TEXT = "The train leaves the station at nine, and the children look out of the window."
MORE = "Then the sun comes out, and everybody is glad."
LONG = " ".join([TEXT] * 40)
KEY = "right-key"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("pipecat"), JUNE_ENGINES="piper,fake", JUNE_API_KEY=KEY) as address:
        yield address


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


def live(
    server: str,
    voice: str = "joe",
    key: str = KEY,
    mode: TextAggregationMode | None = None,
    speed: float | None = None,
) -> ElevenLabsTTSService:
    return ElevenLabsTTSService(
        url=server.replace("http", "ws", 1),
        api_key=key,
        text_aggregation_mode=mode,
        settings=ElevenLabsTTSService.Settings(voice=voice, speed=speed),
    )


def http(
    server: str, session: aiohttp.ClientSession, voice: str = "joe", key: str = KEY
) -> ElevenLabsHttpTTSService:
    return ElevenLabsHttpTTSService(
        base_url=server,
        api_key=key,
        aiohttp_session=session,
        settings=ElevenLabsHttpTTSService.Settings(voice=voice),
    )


def answer(*texts: str) -> Sequence[Frame]:
    """What a language model says, token by token."""
    tokens = [LLMTextFrame(f"{word} ") for text in texts for word in text.split(" ")]
    return [LLMFullResponseStartFrame(), *tokens, LLMFullResponseEndFrame()]


def transcript(spoken: Spoken) -> str:
    """The words that came with their times."""
    return " ".join(frame.text for frame in spoken.down if isinstance(frame, TTSTextFrame))


@pytest.mark.parametrize("kind", ["live", "http"])
async def test_what_a_model_says_is_heard_with_the_times_of_its_words(
    server: str, session: aiohttp.ClientSession, kind: str
) -> None:
    service: TTSService = live(server) if kind == "live" else http(server, session)
    spoken = await spoken_by(service, *answer(TEXT, MORE))
    assert spoken.errors == []
    assert word_error(f"{TEXT} {MORE}", spoken.wav()) <= 0.25
    assert transcript(spoken).split() == f"{TEXT} {MORE}".split()
    stamps = [frame.pts for frame in spoken.down if isinstance(frame, TTSTextFrame) and frame.pts]
    assert stamps == sorted(stamps)
    assert (stamps[-1] - stamps[0]) / 1e9 == pytest.approx(spoken.seconds, abs=1.0)


async def test_tokens_are_heard_as_they_come(server: str) -> None:
    spoken = await spoken_by(live(server, mode=TextAggregationMode.TOKEN), *answer(TEXT, MORE))
    assert spoken.errors == []
    assert word_error(f"{TEXT} {MORE}", spoken.wav()) <= 0.25


@pytest.mark.parametrize("kind", ["live", "http"])
async def test_several_utterances_are_spoken_in_their_order(
    server: str, session: aiohttp.ClientSession, kind: str
) -> None:
    service: TTSService = live(server) if kind == "live" else http(server, session)
    spoken = await spoken_by(service, MORE, TEXT)
    assert word_error(f"{MORE} {TEXT}", spoken.wav()) <= 0.25


async def test_an_interruption_stops_the_audio_and_the_work(server: str) -> None:
    sent: tuple[Frame | str, ...] = (TTSSpeakFrame(LONG), SleepFrame(1.0), InterruptionFrame(), MORE)
    spoken = await spoken_by(live(server), *sent)
    assert spoken.seconds < 150
    assert await becomes_idle(server)


async def test_leaving_does_not_wait_for_the_server(server: str) -> None:
    began = time.monotonic()
    spoken = await spoken_by(live(server, speed=1.2), "Good morning.")
    assert spoken.errors == [] and spoken.seconds > 0.5
    # it waits 2 s for a server that does not close the socket when asked to
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("kind", ["live", "http"])
@pytest.mark.parametrize(("voice", "key", "reason"), [("nobody", KEY, "404"), ("joe", "wrong", "401")])
async def test_a_refusal_reaches_the_pipeline(
    server: str, session: aiohttp.ClientSession, kind: str, voice: str, key: str, reason: str
) -> None:
    service: TTSService = live(server, voice, key) if kind == "live" else http(server, session, voice, key)
    spoken = await spoken_by(service, TEXT)
    assert spoken.audio == []
    words = {"404": "voice_not_found", "401": "API key is wrong"}
    wanted = reason if kind == "live" else words[reason]
    assert any(wanted in error for error in spoken.errors), spoken.errors
