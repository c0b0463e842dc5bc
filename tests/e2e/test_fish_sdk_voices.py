"""fish-audio-sdk, unmodified, against the whole server: joe, and voices that it makes, in the Fish engine."""

import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path

import fish_audio_sdk
import pytest
import soundfile
from fishaudio import APIError, FishAudio
from fishaudio.types import Prosody, ReferenceAudio, TTSConfig
from tests.e2e.page_server import serving
from tests.listening import word_error
from tests.services import missing

pytestmark = pytest.mark.e2e

KEY = "right-key"
TEXT = "The train leaves the station at nine, and the children look out of the window."
LIVEKIT_VOICE = "933563129e564b19a115bedd57b7406a"
FEW = TTSConfig(format="wav", max_new_tokens=40)
"""The model's weights are random: what it says is noise, and may be endless."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    if importlib.util.find_spec("torch") is None:
        missing("torch (make fish)")
    from bench.fish_checkpoint import write_checkpoint
    from bench.fish_codec_file import write_codec

    folder = tmp_path_factory.mktemp("model")
    write_checkpoint(folder, "tiny", seed=7)
    write_codec(folder / "codec.pth", size="tiny")
    return {
        "JUNE_API_KEY": KEY,
        "LLAMA_CHECKPOINT_PATH": str(folder),
        "JUNE_FISH_DTYPE": "float32",
        "JUNE_FISH_SEMANTIC_ONLY": "true",
        "JUNE_THREADS": "1",
    }


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def server(settings: dict[str, str], data_dir: Path) -> Iterator[str]:
    with serving(data_dir, **settings) as address:
        yield address


@pytest.fixture
def client(server: str) -> Iterator[FishAudio]:
    with FishAudio(api_key=KEY, base_url=server) as client:
        yield client


@pytest.fixture(scope="module")
def recordings(server: str) -> list[bytes]:
    """Two files of some 5 s of joe."""
    with FishAudio(api_key=KEY, base_url=server) as client:
        return [client.tts.convert(text=TEXT, format=format) for format in ("wav", "mp3")]


@pytest.mark.parametrize("voice", ["joe", LIVEKIT_VOICE, None])
def test_joe_is_understood(client: FishAudio, voice: str | None) -> None:
    audio = client.tts.convert(text=TEXT, reference_id=voice, format="mp3")
    assert word_error(TEXT, audio) <= 0.25


def test_the_old_interface_speaks_and_lists(server: str) -> None:
    with fish_audio_sdk.Session(KEY, base_url=server) as session:
        audio = b"".join(session.tts(fish_audio_sdk.TTSRequest(text=TEXT, reference_id="joe")))
        assert "joe" in {voice.id for voice in session.list_models().items}
    assert word_error(TEXT, audio) <= 0.25


def test_faster_and_louder_speech_is_still_understood(client: FishAudio) -> None:
    config = TTSConfig(format="wav", prosody=Prosody(speed=1.3, volume=10))
    plain = client.tts.convert(text=TEXT, format="wav")
    changed = client.tts.convert(text=TEXT, config=config)
    assert word_error(TEXT, changed) <= 0.25
    usual, fast = (soundfile.read(io.BytesIO(audio))[0] for audio in (plain, changed))
    # pauses stay as they are
    assert fast.size < 0.9 * usual.size
    assert fast.std() > 2 * usual.std()


def test_a_voice_made_of_two_recordings_speaks_in_the_engine_that_clones(
    client: FishAudio, recordings: list[bytes]
) -> None:
    made = client.voices.create(title="Anna", voices=recordings, texts=[TEXT, TEXT], tags=["calm"])
    assert client.voices.get(made.id) == made
    spoken = client.tts.convert(text="Hello.", reference_id=made.id, config=FEW)
    assert soundfile.info(io.BytesIO(spoken)).frames > 4096
    client.voices.delete(made.id)
    with pytest.raises(APIError, match=made.id):
        client.tts.convert(text="Hello.", reference_id=made.id)


def test_recordings_of_a_request_are_spoken_like(client: FishAudio, recordings: list[bytes]) -> None:
    given = [ReferenceAudio(audio=audio, text=TEXT) for audio in recordings]
    spoken = client.tts.convert(text="Hello.", references=given, config=FEW)
    assert soundfile.info(io.BytesIO(spoken)).frames > 4096


def test_what_was_told_of_a_voice_outlives_the_server(settings: dict[str, str], tmp_path: Path) -> None:
    with serving(tmp_path, **settings) as address, FishAudio(api_key=KEY, base_url=address) as client:
        recording = client.tts.convert(text=TEXT, format="wav")
        made = client.voices.create(title="Anna", voices=[recording], description="Reads.", tags=["calm"])
        client.voices.update(made.id, title="Berta", visibility="unlist", cover_image=b"GIF89a and so on")
        before = client.voices.get(made.id)
    with serving(tmp_path, **settings) as address, FishAudio(api_key=KEY, base_url=address) as client:
        after = client.voices.get(made.id)
    assert after == before
    assert (after.title, after.description, after.tags) == ("Berta", "Reads.", ["calm"])
    assert (after.visibility, after.cover_image) == ("unlist", f"/model/{made.id}/cover")
