"""Pipecat's Fish service, unmodified, in a pipeline that speaks through the server."""

from collections.abc import Iterator

import pytest
from pipecat.frames.frames import InterruptionFrame, TTSSpeakFrame
from pipecat.services.fish.tts import FishAudioTTSService
from pipecat.tests.utils import SleepFrame
from tests.e2e.page_server import serving
from tests.listening import word_error
from tests.live_server import becomes, live_server
from tests.pipecat_speech import RATE, spoken_by

from june_tts.engine.fake import FakeEngine

pytestmark = pytest.mark.e2e

TEXT = "The train leaves the station in the morning, and all the children look out of the window."
KEY = "right-key"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("pipecat"), JUNE_API_KEY=KEY) as address:
        yield address


def service(server: str, key: str = KEY, voice: str | None = None) -> FishAudioTTSService:
    made = FishAudioTTSService(api_key=key, settings=FishAudioTTSService.Settings(voice=voice))
    # the one thing it has no argument for
    made._base_url = server.replace("http", "ws", 1) + "/v1/tts/live"
    return made


async def test_its_words_are_heard(server: str) -> None:
    spoken = await spoken_by(service(server), TEXT)
    assert spoken.errors == []
    assert {frame.sample_rate for frame in spoken.audio} == {RATE}
    assert word_error(TEXT, spoken.wav()) <= 0.25


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
async def test_it_is_spoken_at_the_rate_of_the_pipeline(server: str, rate: int) -> None:
    spoken = await spoken_by(service(server, voice="joe"), TEXT, rate=rate)
    assert spoken.errors == []
    assert word_error(TEXT, spoken.wav()) <= 0.25


async def test_several_utterances_are_spoken_on_one_socket_in_their_order() -> None:
    async with live_server() as server:
        said = ["The children look out of the window.", "Then the sun comes out.", TEXT]
        spoken = await spoken_by(service(server.url), *said)
        assert spoken.errors == []
        assert " ".join(text for _, text in server.fake.engine.spoken) == " ".join(said)
        assert server.sockets == ["/v1/tts/live"]


async def test_no_audio_is_too_small_for_it() -> None:
    async with live_server() as server:
        spoken = await spoken_by(service(server.url), "Hi.", "No.")
    assert min(len(frame.audio) for frame in spoken.audio) > 1024


async def test_an_interruption_stops_the_work_and_the_next_words_are_heard() -> None:
    async with live_server(FakeEngine(step_seconds=0.02)) as server:
        long = TTSSpeakFrame(" ".join([TEXT] * 40))
        sent = (long, SleepFrame(1.0), InterruptionFrame(), SleepFrame(0.5), TTSSpeakFrame("And on we go."))
        spoken = await spoken_by(service(server.url), *sent)
        assert spoken.errors == []
        assert server.fake.engine.spoken[-1][1] == "And on we go."
        await becomes(lambda: server.fake.engine.active == 0)
        assert server.fake.services.recorder.totals.cancelled == 1
        assert len(server.sockets) == 2


async def test_a_wrong_key_reaches_the_pipeline_as_an_error(server: str) -> None:
    spoken = await spoken_by(service(server, key="wrong"), TEXT)
    assert spoken.audio == []
    assert spoken.errors
