"""ElevenLabs' own SDK, unmodified, with nothing but a base URL."""

import base64
import io
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from elevenlabs import VoiceSettings
from elevenlabs.client import AsyncElevenLabs, ElevenLabs
from elevenlabs.core.api_error import ApiError
from tests.e2e.idle import becomes_idle
from tests.e2e.page_server import serving
from tests.listening import word_error
from tests.tls_door import Door, tls_door

pytestmark = pytest.mark.e2e

TEXT = "The train leaves the station at nine, and the children look out of the window."
LONG = " ".join([TEXT] * 30)
KEY = "right-key"
EXAMPLE_VOICE = "JBFqnCBsd6RMkjVDRZzb"
"""What the SDK's own examples ask for."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = {"JUNE_ENGINES": "piper,fake", "JUNE_API_KEY": KEY}
    with serving(tmp_path_factory.mktemp("elevenlabs"), **settings) as address:
        yield address


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """The SDK never closes the client that it makes itself, and an open socket is a warning here."""
    with httpx.Client(timeout=60) as made:
        yield made


@pytest.fixture
def client(server: str, http: httpx.Client) -> ElevenLabs:
    return ElevenLabs(base_url=server, api_key=KEY, httpx_client=http)


def wav(pcm: bytes, rate: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm)
    return out.getvalue()


def test_convert_gives_words_that_are_heard(client: ElevenLabs) -> None:
    audio = b"".join(
        client.text_to_speech.convert(
            EXAMPLE_VOICE,
            text=TEXT,
            model_id="eleven_multilingual_v2",
            output_format="mp3_44100_128",
            voice_settings=VoiceSettings(
                stability=0.5, similarity_boost=0.75, style=0.0, use_speaker_boost=True
            ),
        )
    )
    assert word_error(TEXT, audio) <= 0.25


@pytest.mark.parametrize("format", ["mp3_22050_32", "opus_48000_64", "wav_16000"])
def test_its_formats_are_heard(client: ElevenLabs, format: str) -> None:
    audio = b"".join(client.text_to_speech.convert("joe", text=TEXT, output_format=format))
    assert word_error(TEXT, audio) <= 0.25


def test_a_stream_plays_while_the_rest_is_being_made(client: ElevenLabs) -> None:
    began = time.monotonic()
    first, heard = 0.0, 0
    for data in client.text_to_speech.stream("joe", text=LONG, output_format="pcm_16000"):
        first = first or time.monotonic() - began
        heard += len(data)
    assert heard / 32_000 > 60
    assert first < 0.3 * (time.monotonic() - began)


def test_timestamps_say_where_each_word_is(client: ElevenLabs) -> None:
    reply = client.text_to_speech.convert_with_timestamps("joe", text=TEXT, output_format="pcm_16000")
    seconds = len(base64.b64decode(reply.audio_base_64)) / 32_000
    aligned = reply.alignment
    assert aligned is not None and reply.normalized_alignment == aligned
    assert "".join(aligned.characters).split() == TEXT.split()
    starts, ends = aligned.character_start_times_seconds, aligned.character_end_times_seconds
    assert starts == sorted(starts) and ends == sorted(ends)
    assert 0 <= starts[0] < 0.3 and seconds - 1 < ends[-1] <= seconds


def test_what_is_cut_at_a_words_times_is_that_word(client: ElevenLabs) -> None:
    reply = client.text_to_speech.convert_with_timestamps("joe", text=TEXT, output_format="pcm_16000")
    aligned, pcm = reply.alignment, base64.b64decode(reply.audio_base_64)
    assert aligned is not None
    at = "".join(aligned.characters).index("children")
    begin, end = aligned.character_start_times_seconds[at], aligned.character_end_times_seconds[-1]
    cut = pcm[2 * int((begin - 0.05) * 16_000) : 2 * int(end * 16_000)]
    assert word_error(TEXT[TEXT.index("children") :], wav(cut, 16_000)) <= 0.25


def test_a_stream_with_timestamps_says_the_same_in_parts(client: ElevenLabs) -> None:
    parts = list(client.text_to_speech.stream_with_timestamps("joe", text=TEXT, output_format="pcm_16000"))
    assert len(parts) > 3
    audio = b"".join(base64.b64decode(part.audio_base_64) for part in parts)
    assert word_error(TEXT, wav(audio, 16_000)) <= 0.25
    said = "".join(c for part in parts if part.alignment for c in part.alignment.characters)
    assert said.split() == TEXT.split()


async def test_the_asynchronous_client_streams_and_leaves_early(server: str) -> None:
    async with httpx.AsyncClient() as http:
        client = AsyncElevenLabs(base_url=server, api_key=KEY, httpx_client=http)
        audio = client.text_to_speech.stream("joe", text=LONG, output_format="pcm_24000")
        async for _ in audio:
            break
        await audio.aclose()
    assert await becomes_idle(server)


@pytest.fixture
def door(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """The SDK asks for TLS on its socket whatever its base URL says."""
    with tls_door(server, tmp_path) as opened:
        monkeypatch.setenv("SSL_CERT_FILE", str(opened.certificate))
        yield opened


old_exceptions = pytest.mark.filterwarnings("ignore:ConnectionClosed.code is deprecated:DeprecationWarning")
"""The SDK reads its library's exceptions in a way that the library would rather not have."""


def words() -> Iterator[str]:
    for word in TEXT.split():
        yield f"{word} "


@old_exceptions
def test_text_that_is_still_being_written_is_heard(door: Door, http: httpx.Client) -> None:
    client = ElevenLabs(base_url=door.address, api_key=KEY, httpx_client=http)
    audio = client.text_to_speech.convert_realtime(
        "joe",
        text=words(),
        model_id="eleven_flash_v2_5",
        output_format="mp3_44100_64",
        voice_settings=VoiceSettings(stability=0.5, speed=1.1),
    )
    assert word_error(TEXT, b"".join(audio)) <= 0.25


@old_exceptions
def test_a_realtime_text_that_is_refused_raises_with_the_reason(door: Door, http: httpx.Client) -> None:
    client = ElevenLabs(base_url=door.address, api_key=KEY, httpx_client=http)
    with pytest.raises(ApiError) as refused:
        list(
            client.text_to_speech.convert_realtime("fake", text=iter(["\ud800 "]), output_format="pcm_16000")
        )
    assert refused.value.status_code == 1008
    assert refused.value.body["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("asked", "status", "word"),
    [
        ({"voice_id": "nobody"}, 404, "voice_not_found"),
        ({"output_format": "mp3_1_1"}, 400, "invalid_request"),
        ({"language_code": "xx"}, 400, "invalid_request"),
        ({"text": "🎉"}, 400, "nothing_to_speak"),
    ],
)
def test_a_refusal_raises_with_its_status_and_its_code(
    client: ElevenLabs, asked: dict[str, str], status: int, word: str
) -> None:
    with pytest.raises(ApiError) as refused:
        list(client.text_to_speech.stream(**{"voice_id": "joe", "text": TEXT, **asked}))  # type: ignore[arg-type]
    assert refused.value.status_code == status
    assert refused.value.body["detail"]["status"] == word


def test_a_wrong_key_raises(server: str, http: httpx.Client) -> None:
    client = ElevenLabs(base_url=server, api_key="wrong", httpx_client=http)
    with pytest.raises(ApiError) as refused:
        list(client.text_to_speech.convert("joe", text=TEXT))
    assert refused.value.status_code == 401
    assert refused.value.body["detail"]["status"] == "unauthorized"


def test_voices_and_models_are_listed(client: ElevenLabs) -> None:
    found = client.voices.get_all().voices
    assert {"joe", "fake"} <= {voice.voice_id for voice in found}
    page = client.voices.search(search="jo", page_size=1)
    assert [voice.voice_id for voice in page.voices] == ["joe"]
    assert (page.has_more, page.total_count) == (False, 1)
    assert client.voices.get("joe").category == "premade"
    with pytest.raises(ApiError):
        client.voices.get("nobody")
    (model,) = client.models.list()
    assert model.can_do_text_to_speech and model.languages
