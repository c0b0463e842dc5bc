"""The Kokoro engine with the packaged int8 model."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
import pytest_asyncio

from june_tts.engine.kokoro import KokoroEngine
from june_tts.types import Piece, Utterance

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KokoroEngine]:
    started = KokoroEngine(tmp_path_factory.mktemp("models"), lanes=1, threads=2, ahead_seconds=8)
    await started.start()
    yield started
    await started.close()


async def pieces(*texts: str) -> AsyncIterator[Piece]:
    for text in texts:
        yield Piece(text, "clause")


async def spoken_seconds(engine: KokoroEngine, utterance: Utterance, *texts: str) -> list[float]:
    async with aclosing(engine.synthesize(utterance, pieces(*texts))) as chunks:
        return [chunk.samples.size / chunk.sample_rate async for chunk in chunks]


async def test_it_has_the_five_voices_and_each_speaks(engine: KokoroEngine) -> None:
    voices = engine.voices()
    assert [v.id for v in voices] == ["jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo"]
    for voice in voices:
        assert sum(await spoken_seconds(engine, Utterance("test", voice, "en-US"), "Hello there.")) > 0.4


async def test_speed_and_language_change_the_speech(engine: KokoroEngine) -> None:
    voice = engine.voices()[0]
    text = "Better water in the bath of the castle."
    normal = sum(await spoken_seconds(engine, Utterance("test", voice, "en-US"), text))
    fast = sum(await spoken_seconds(engine, Utterance("test", voice, "en-US", 2.0), text))
    assert fast < 0.7 * normal


async def test_the_first_piece_comes_before_the_second_is_made(engine: KokoroEngine) -> None:
    chunks = await spoken_seconds(
        engine, Utterance("test", engine.voices()[0], "en-GB"), "Hello,", "how are you?"
    )
    assert len(chunks) >= 2
