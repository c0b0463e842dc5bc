"""Speech made louder or softer than its voice speaks, on its way to an encoder."""

import numpy as np

from june_tts.audio.encode import Encoder
from june_tts.types import Samples

KNEE = 0.7
"""Of full scale. What would be louder is bent, not cut off: clipped peaks crackle."""


class GainEncoder:
    """An `Encoder` in front of another one. Sample by sample, so any chunking gives the same audio."""

    def __init__(self, inner: Encoder, decibels: float) -> None:
        self._inner = inner
        self._factor = np.float32(10 ** (decibels / 20))
        self.media_type = inner.media_type
        self.sample_rate = inner.sample_rate

    def encode(self, samples: Samples) -> bytes:
        return self._inner.encode(bent(samples * self._factor))

    def finish(self) -> bytes:
        return self._inner.finish()

    def close(self) -> None:
        self._inner.close()


def bent(samples: Samples) -> Samples:
    """The same up to KNEE; from there on ever closer to full scale, and never beyond."""
    over = np.maximum(np.abs(samples) - KNEE, 0)
    room = np.float32(1 - KNEE)
    limited = KNEE + room * over / (over + room)
    return np.where(over > 0, np.copysign(limited, samples), samples).astype(np.float32)
