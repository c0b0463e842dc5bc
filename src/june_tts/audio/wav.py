"""The header of a WAV file whose length is not known yet."""

import struct
from dataclasses import dataclass

UNKNOWN_DATA_BYTES = 0x7FFF_FFDA
"""Stated size of the sample data: the largest even number for which the whole fits in 31 bits.

Readers stop at the end of the file before they reach it. Zero makes libsndfile and Python's wave read
nothing; above 2 GiB readers with signed sizes fail. See docs/decisions/audio-formats.md.
"""

OPEN_BYTES = 0x7FFF_0000
"""A size from here on (or 0) stands for an unknown one: every tool that streams WAV picks its own."""

MAX_CHUNKS = 64
"""Looked at in search of the data; real files have fewer than ten."""

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


def state_length(wav: bytearray) -> None:
    """Put the true length into a file that began with `stream_header`, in place."""
    struct.pack_into("<I", wav, 4, len(wav) - 8)
    struct.pack_into("<I", wav, HEADER_BYTES - 4, len(wav) - HEADER_BYTES)


@dataclass(frozen=True, slots=True)
class WavData:
    """Where the samples of a whole WAV file in memory are."""

    end: int
    """Bytes from the file's start; after it there may be more chunks."""
    stated_seconds: float | None
    """Duration that the header claims, before it is compared with what is there; None where it is open."""


def find_data(data: bytes) -> WavData | None:
    """None where there is no data, no format, or a chunk before the data claims more than the file has.

    libav allocates what a chunk claims, up to 4 GB, and hides that the data are shorter than they claim.
    """
    at, byte_rate = len(b"RIFF....WAVE"), 0
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            return None
        name, size = struct.unpack_from("<4sI", data, at)
        at += 8
        if name == b"data":
            return _data_from(at, size, byte_rate, len(data))
        if name == b"fmt " and at + FORMAT_BYTES <= len(data):
            (byte_rate,) = struct.unpack_from("<I", data, at + 8)
        at += size + size % 2
    return None


def _data_from(at: int, size: int, byte_rate: int, total: int) -> WavData | None:
    if not byte_rate:
        return None
    if size == 0 or size >= OPEN_BYTES:
        return WavData(total, None)
    return WavData(min(at + size, total), size / byte_rate)
