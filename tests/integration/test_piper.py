"""The Piper engine with the packaged voice: exact streaming, early first audio, cancelling, damage."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from june_tts.engine.piper import PiperEngine
from june_tts.errors import ModelUnavailable
from june_tts.models.embedded import joe
from june_tts.types import AudioChunk, Piece, Sampling, Utterance, Voice

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

SENTENCE = "The quick brown fox jumps over the lazy dog while the sun sets behind the mountains."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("voices")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(folder: Path) -> AsyncIterator[PiperEngine]:
    started = PiperEngine(folder, lanes=1, threads=2, ahead_seconds=8)
    await started.start()
    yield started
    await started.close()


async def pieces(*texts: str) -> AsyncIterator[Piece]:
    for text in texts:
        yield Piece(text)


def voice(engine: PiperEngine, voice_id: str = "joe") -> Voice:
    return next(voice for voice in engine.voices() if voice.id == voice_id)


async def speak(engine: PiperEngine, *texts: str, utterance: Utterance | None = None) -> list[AudioChunk]:
    utterance = utterance or Utterance("test", voice(engine), "en-US")
    async with aclosing(engine.synthesize(utterance, pieces(*texts))) as chunks:
        return [chunk async for chunk in chunks]


async def becomes_idle(engine: PiperEngine) -> bool:
    for _ in range(5000):
        if not engine.running:
            return True
        await asyncio.sleep(0.001)
    return False


def seconds(chunks: list[AudioChunk]) -> float:
    return sum(chunk.samples.size / chunk.sample_rate for chunk in chunks)


async def test_a_sentence_comes_in_several_chunks_the_first_one_short(engine: PiperEngine) -> None:
    chunks = await speak(engine, SENTENCE)
    assert len(chunks) >= 3
    assert chunks[0].samples.size / chunks[0].sample_rate <= 0.4
    assert 3 < seconds(chunks) < 8


async def test_speed_and_temperature_change_the_speech(engine: PiperEngine) -> None:
    def asking(speed: float = 1.0, temperature: float | None = None) -> Utterance:
        return Utterance("test", voice(engine), "en-US", speed, Sampling(temperature=temperature))

    normal = seconds(await speak(engine, SENTENCE, utterance=asking()))
    fast = seconds(await speak(engine, SENTENCE, utterance=asking(speed=2.0)))
    # durations are whole frames per phoneme, so twice the speed is a little less than that
    assert fast < 0.75 * normal
    calm, wild = [
        np.concatenate([c.samples for c in await speak(engine, "Aah.", utterance=asking(temperature=t))])
        for t in (0.0, 2.0)
    ]
    shared = min(calm.size, wild.size)
    assert np.abs(calm[:shared] - wild[:shared]).max() > 0.01


async def test_closing_a_stream_ends_the_model_run_under_way(engine: PiperEngine) -> None:
    utterance = Utterance("test", voice(engine), "en-US")
    chunks = engine.synthesize(utterance, pieces(*[SENTENCE] * 50))
    await anext(chunks)
    await chunks.aclose()
    assert engine.active == 0
    assert await becomes_idle(engine)
    assert await speak(engine, "Next.")


async def test_a_text_without_sound_gives_no_audio(engine: PiperEngine) -> None:
    assert seconds(await speak(engine, "...")) < 0.5


async def test_double_brackets_are_not_taken_for_phonemes(engine: PiperEngine) -> None:
    assert seconds(await speak(engine, "[[hello there]]")) > 0.4


async def test_a_voice_dropped_into_the_folder_is_spoken_without_a_restart(
    engine: PiperEngine, folder: Path
) -> None:
    config = json.loads(joe().config.read_bytes())
    config["language"]["code"] = "en_GB"
    (folder / "dropped.onnx.json").write_text(json.dumps(config))
    shutil.copy(joe().model, folder / "dropped.onnx")
    dropped = voice(engine, "dropped")
    assert dropped.languages == ("en-GB",)
    assert seconds(await speak(engine, "Hello.", utterance=Utterance("test", dropped, "en-GB"))) > 0.2


async def test_a_damaged_voice_is_named_and_the_next_one_speaks(engine: PiperEngine, folder: Path) -> None:
    shutil.copy(joe().config, folder / "broken.onnx.json")
    (folder / "broken.onnx").write_bytes(b"this is no model")
    with pytest.raises(ModelUnavailable, match="broken.onnx"):
        await speak(engine, "Hello.", utterance=Utterance("test", voice(engine, "broken"), "en-US"))
    assert await speak(engine, "Hello.")
