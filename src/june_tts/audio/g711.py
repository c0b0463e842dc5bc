"""ITU-T G.711: 8 bits a sample on a scale that is fine where speech is quiet, for telephone networks.

The decision values are those of the Recommendation, tables 1a and 2a. Samples of 16 bits are first cut to the
14 (µ-law) and 13 (A-law) bits that it knows, negative ones in one's complement, as the ITU's own software
(G.191) does: so a value and its mirror image get codes that differ in their sign alone.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from june_tts.audio.pcm import to_int16
from june_tts.types import Samples

Law = Literal["ulaw", "alaw"]
Codes = NDArray[np.uint8]
SAMPLE_RATE = 8_000
"""Hz, the only one that G.711 has."""
_BIAS = 33
"""Added to a µ-law magnitude, so that every segment begins at a power of two."""
_MOST = 0x1FFF
"""The largest 14-bit magnitude with its bias."""


def companded(samples: Samples, law: Law) -> bytes:
    """Samples at 8 kHz, shape (n,), to n bytes."""
    return _TABLES[law][to_int16(samples).view(np.uint16)].tobytes()


def _magnitudes() -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Of every 16-bit sample, in the order of its bits read without a sign; and which are negative."""
    value = np.arange(1 << 16).astype(np.uint16).view(np.int16).astype(np.int64)
    return np.where(value < 0, ~value, value), value < 0


def _ulaw() -> Codes:
    magnitude, negative = _magnitudes()
    biased = np.minimum((magnitude >> 2) + _BIAS, _MOST)
    segment = _bits(biased) - 6
    code = (segment << 4) | ((biased >> (segment + 1)) & 0xF)
    codes: Codes = (~(code | np.where(negative, 0x80, 0)) & 0xFF).astype(np.uint8)
    return codes


def _alaw() -> Codes:
    magnitude, negative = _magnitudes()
    short = magnitude >> 4
    # the first two segments have steps of the same size
    segment = np.maximum(_bits(short) - 4, 0)
    code = (segment << 4) | ((short >> np.maximum(segment - 1, 0)) & 0xF)
    # every other bit is inverted on the line
    codes: Codes = ((code | np.where(negative, 0, 0x80)) ^ 0x55).astype(np.uint8)
    return codes


def _bits(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many binary digits each has; 0 has none."""
    return np.frexp(numbers)[1].astype(np.int64)


_TABLES = {"ulaw": _ulaw(), "alaw": _alaw()}
"""64 kB each, from a sample's bits to its code."""
