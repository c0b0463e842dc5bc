"""Samples made safe, and turned into 16-bit integers, in one place for every format."""

import numpy as np
from numpy.typing import NDArray

from june_tts.types import Samples

FULL_SCALE = 32768
"""Of 16-bit samples, so that what was read from a 16-bit file is written back unchanged."""


def clean(samples: Samples) -> Samples:
    """The same samples within -1 .. 1, as float32, with NaN and infinity turned into silence.

    One NaN in a resampler's state would silence, or turn into noise, everything that follows it.
    """
    samples = np.ascontiguousarray(samples, dtype=np.float32)
    if not np.isfinite(samples).all():
        samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
    # the two ufuncs and not `np.clip`, whose wrapper costs more than a chunk's samples
    return np.minimum(np.maximum(samples, np.float32(-1.0)), np.float32(1.0))


def to_int16(samples: Samples) -> NDArray[np.int16]:
    """Rounded to 16 bit; what is too loud is clipped and never wraps, NaN and infinity are silence."""
    scaled = clean(samples) * np.float32(FULL_SCALE)
    np.rint(scaled, out=scaled)
    np.minimum(scaled, np.float32(FULL_SCALE - 1), out=scaled)
    return scaled.astype(np.int16)
