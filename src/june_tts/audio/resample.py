"""One stream's change of sample rate, with state carried from chunk to chunk."""

from typing import Literal

import numpy as np
import soxr

from june_tts.audio.pcm import clean
from june_tts.types import Samples

Quality = Literal["HQ", "MQ"]


class Resampler:
    """Any chunking gives the same samples. Not thread-safe: one per stream.

    Equal rates pass straight through.
    """

    def __init__(self, source_rate: int, sample_rate: int, quality: Quality = "HQ") -> None:
        """
        Args:
            quality: of soxr. HQ (20 bits) holds back 14 ms from 22,050 to 48,000 Hz, and 65 ms down to 8,000;
                MQ (16 bits) 8 ms less.
        """
        same = source_rate == sample_rate
        self._stream = None if same else soxr.ResampleStream(source_rate, sample_rate, 1, "float32", quality)

    def feed(self, samples: Samples) -> Samples:
        """Samples at the source rate, shape (n,), to those ready at the target rate; n may be 0."""
        return self._run(samples, last=False)

    def finish(self) -> Samples:
        """What was held back. Called once, after the last `feed`."""
        return self._run(np.zeros(0, np.float32), last=True)

    def _run(self, samples: Samples, *, last: bool) -> Samples:
        samples = clean(samples)
        return samples if self._stream is None else self._stream.resample_chunk(samples, last)
