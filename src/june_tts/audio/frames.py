"""Speech at any rate to frames of one length at another rate, with state carried from chunk to chunk."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from june_tts.audio.pcm import to_int16
from june_tts.audio.resample import Resampler
from june_tts.types import Samples

SLICE_SECONDS = 0.2
"""Resampled at a time, so that a first frame does not wait for the end of a long chunk."""

Frame = NDArray[np.int16]


class Framer:
    """Any chunking of a stream gives the same frames. One per stream; not thread-safe."""

    def __init__(self, source_rate: int, sample_rate: int, frame_samples: int) -> None:
        # a room hears frames of 16 bits through Opus: what more there is would cost it 8 ms
        self._resampler = Resampler(source_rate, sample_rate, "MQ")
        self._slice = max(1, int(SLICE_SECONDS * source_rate))
        self._size = frame_samples
        self._rest: Frame = np.zeros(0, np.int16)

    def feed(self, samples: Samples) -> Iterator[Frame]:
        """Whole frames, each of `frame_samples`, as they become ready."""
        for at in range(0, samples.size, self._slice):
            yield from self._cut(to_int16(self._resampler.feed(samples[at : at + self._slice])))

    def finish(self) -> Iterator[Frame]:
        """What was held back; the last frame is filled up with silence. Called once."""
        yield from self._cut(to_int16(self._resampler.finish()))
        if self._rest.size:
            yield np.pad(self._rest, (0, self._size - self._rest.size))

    def _cut(self, ready: Frame) -> Iterator[Frame]:
        joined = np.concatenate([self._rest, ready])
        whole = joined.size - joined.size % self._size
        # before the first frame is yielded: whoever stops in the middle leaves nothing half done
        self._rest = joined[whole:]
        for at in range(0, whole, self._size):
            yield joined[at : at + self._size]
