"""OpenAI's SDK, unmodified, against the server: nothing is told it but a base URL and a key."""

import base64
import io
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import openai
import pytest
import soundfile
from tests.e2e.idle import becomes_idle
from tests.e2e.page_server import serving
from tests.listening import word_error
from tests.wav_bytes import wav

pytestmark = pytest.mark.e2e

KEY = "right-key"
PCM_RATE = 24_000
TEXT = "The train leaves the station at nine, and the children look out of the window."
LONG = " ".join([TEXT] * 40)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("sdk"), JUNE_API_KEY=KEY) as address:
        yield address


@pytest.fixture
def client(server: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server}/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture
async def waiting(server: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{server}/v1", api_key=KEY, max_retries=0) as client:
        yield client


def test_a_reply_taken_whole_has_the_words(client: openai.OpenAI, tmp_path: Path) -> None:
    reply = client.audio.speech.create(model="gpt-4o-mini-tts-2025-12-15", voice="alloy", input=TEXT)
    reply.write_to_file(tmp_path / "speech.mp3")
    assert word_error(TEXT, (tmp_path / "speech.mp3").read_bytes()) <= 0.25


def test_a_voice_may_be_an_object_with_an_id(client: openai.OpenAI) -> None:
    reply = client.audio.speech.create(model="tts-1", voice={"id": "joe"}, input=TEXT, response_format="wav")
    assert soundfile.info(io.BytesIO(reply.read())).format == "WAV"


async def test_the_first_audio_comes_long_before_the_last(waiting: openai.AsyncOpenAI) -> None:
    began = time.monotonic()
    first, size = 0.0, 0
    async with waiting.audio.speech.with_streaming_response.create(
        model="tts-1", voice="joe", input=LONG, response_format="pcm"
    ) as reply:
        async for data in reply.iter_bytes(960):
            first = first or time.monotonic() - began
            size += len(data)
    assert size > 60 * 2 * PCM_RATE
    # a share, not a speed: a reply made whole before it is sent has both at once
    assert first < 0.25 * (time.monotonic() - began)


async def test_events_carry_the_same_speech_and_then_say_that_it_is_done(waiting: openai.AsyncOpenAI) -> None:
    async with waiting.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="joe", input=TEXT, response_format="pcm", stream_format="sse"
    ) as reply:
        lines = [line async for line in reply.iter_lines() if line]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    *deltas, done = events
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert done["type"] == "speech.audio.done"
    usage = done["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0
    pcm = b"".join(base64.b64decode(event["audio"]) for event in deltas)
    assert word_error(TEXT, wav(pcm, PCM_RATE)) <= 0.25


async def test_leaving_in_the_middle_stops_the_work(server: str, waiting: openai.AsyncOpenAI) -> None:
    async with waiting.audio.speech.with_streaming_response.create(
        model="tts-1", voice="joe", input=LONG, response_format="pcm"
    ) as reply:
        async for _ in reply.iter_bytes(960):
            break
    assert await becomes_idle(server)


def test_every_reply_has_an_id_that_the_sdk_shows(client: openai.OpenAI) -> None:
    raw = client.audio.speech.with_raw_response.create(model="tts-1", voice="joe", input="Short.")
    assert raw.request_id
    assert raw.request_id == raw.headers["x-request-id"]
    with pytest.raises(openai.APIStatusError) as refused:
        client.audio.speech.create(model="tts-1", voice="nobody", input="Short.")
    assert refused.value.request_id


def test_refusals_are_the_sdks_own_errors_and_name_the_field(server: str, client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="nobody") as unknown:
        client.audio.speech.create(model="june", voice="nobody", input="Hello.")
    with pytest.raises(openai.BadRequestError, match="nothing in it") as empty:
        client.audio.speech.create(model="june", voice="joe", input="  ")
    with pytest.raises(openai.UnprocessableEntityError, match="instructions") as unable:
        client.audio.speech.create(model="june", voice="joe", input="Hello.", instructions="Whisper.")
    refused = [(e.value.code, e.value.param) for e in (unknown, empty, unable)]
    assert [param for _, param in refused] == ["voice", "input", "instructions"]
    assert all(code for code, _ in refused)
    with (
        openai.OpenAI(base_url=f"{server}/v1", api_key="wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError, match="key is wrong"),
    ):
        stranger.models.list()


def test_models_are_listed_and_found_by_name(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert {"june", "tts-1", "tts-1-hd", "gpt-4o-mini-tts", "piper"} <= set(listed)
    assert client.models.retrieve("june") == listed["june"]
    with pytest.raises(openai.NotFoundError, match="gpt-9"):
        client.models.retrieve("gpt-9")


def test_a_voice_is_added_and_removed(client: openai.OpenAI, tmp_path: Path) -> None:
    spoken = client.audio.speech.create(model="june", voice="joe", input=TEXT, response_format="wav")
    made = client.audio.voices.create(
        name="Aunt Ada",
        consent="cons_1234",
        audio_sample=("ada.wav", spoken.read(), "audio/wav"),
        type="audio_sample",
    )
    assert (made.id, made.name, made.object, made.type) == (
        "aunt-ada",
        "Aunt Ada",
        "audio.voice",
        "audio_sample",
    )
    assert 0 <= time.time() - made.created_at < 60
    removed = client.audio.voices.delete(made.id)
    assert (removed.id, removed.deleted, removed.object) == (made.id, True, "audio.voice.deleted")
    with pytest.raises(openai.NotFoundError):
        client.audio.voices.delete(made.id)
