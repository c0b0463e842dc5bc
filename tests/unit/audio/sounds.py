"""Sounds made for tests, and files that other programs would write of them."""

import io
from pathlib import Path

import av
import numpy as np

from june_tts.types import Samples


def tone(seconds: float, rate: int, hertz: float = 440.0, level: float = 0.3) -> Samples:
    time = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def noise(seconds: float, rate: int, level: float = 0.1) -> Samples:
    drawn = np.random.default_rng(3).standard_normal(round(seconds * rate))
    return (level * drawn).astype(np.float32)


def babble(seconds: float, rate: int, level: float = 0.3) -> Samples:
    """Like speech to the ear of `speech.py`: words of six syllables, a buzz gliding from 90 to 150 Hz."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.9 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    buzz = sum(np.sin(k * phase) / k for k in range(1, 12))
    syllables = np.clip(np.sin(2 * np.pi * 4 * time), 0, 1) * (time % 1.8 < 1.5)
    breath = 1e-3 * np.random.default_rng(4).standard_normal(time.size)
    return (level * (0.5 * buzz * syllables + breath)).astype(np.float32)


class Pipe:
    """A file that can only be written, as a browser's recorder writes."""

    def __init__(self) -> None:
        self.bytes = bytearray()

    def write(self, data: bytes) -> int:
        self.bytes += data
        return len(data)


def record(
    samples: Samples,
    rate: int,
    container: str,
    codec: str,
    *,
    layout: str = "mono",
    seekable: bool = True,
    path: Path | None = None,
    **muxer: str,
) -> bytes:
    """The file that another program makes of mono samples; at `path` where the muxer must read it again."""
    memory, pipe = io.BytesIO(), Pipe()
    with av.open(
        path or (memory if seekable else pipe), "w", format=container, container_options=muxer
    ) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout, options={"strict": "-2"})
        assert isinstance(stream, av.AudioStream)
        resampler = av.AudioResampler(stream.codec_context.format, layout, rate)
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], "fltp", "mono")
        frame.sample_rate = rate
        for ready in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(ready))
        out.mux(stream.encode(None))
    return path.read_bytes() if path else memory.getvalue() if seekable else bytes(pipe.bytes)
