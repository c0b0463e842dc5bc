"""The header of a WAV file whose length is not known yet."""

import struct

UNKNOWN_DATA_BYTES = 0x7FFF_FFDA
"""Stated size of the sample data: the largest even number for which the whole fits in 31 bits.

Readers stop at the end of the file before they reach it. Zero makes libsndfile and Python's wave read
nothing; above 2 GiB readers with signed sizes fail. See docs/decisions/audio-formats.md.
"""

FORMAT_BYTES = 16
HEADER_BYTES = 44
PCM = 1
SAMPLE_BYTES = 2


def stream_header(sample_rate: int) -> bytes:
    """44 bytes for 16-bit mono PCM at `sample_rate` Hz, of unknown length."""
    form = struct.pack(
        "<HHIIHH", PCM, 1, sample_rate, sample_rate * SAMPLE_BYTES, SAMPLE_BYTES, 8 * SAMPLE_BYTES
    )
    riff = struct.pack("<4sI4s", b"RIFF", UNKNOWN_DATA_BYTES + HEADER_BYTES - 8, b"WAVE")
    data = struct.pack("<4sI", b"data", UNKNOWN_DATA_BYTES)
    return riff + struct.pack("<4sI", b"fmt ", FORMAT_BYTES) + form + data
