"""What the beginning of a file says of its length, once that is known: streams are begun without."""

import struct

from june_tts.audio.wav import HEADER_BYTES
from june_tts.types import Format

MOST_WAV_BYTES = 0xFFFF_FFFF
"""The format has 32 bits for its length."""
FLAC_LENGTH_AT = 18
"""Of the 8 bytes that end in 36 bits for the number of samples: RFC 9639, section 8.2, after `fLaC` and the
header of the first block."""
_FLAC_SAMPLES = (1 << 36) - 1


def state_length(format: Format, begin: bytearray, total: int, samples: int | None) -> None:
    """Put the length of a whole file into its beginning, in place, where the format has a place for it.

    Args:
        begin: its first bytes, the header among them.
        total: bytes of the whole file.
        samples: of the whole file, as encoded; None where nobody counted them.
    """
    if format == "wav" and len(begin) >= HEADER_BYTES and total <= MOST_WAV_BYTES:
        struct.pack_into("<I", begin, 4, total - 8)
        struct.pack_into("<I", begin, HEADER_BYTES - 4, total - HEADER_BYTES)
    room = len(begin) >= FLAC_LENGTH_AT + 8
    if format == "flac" and room and samples is not None and samples <= _FLAC_SAMPLES:
        (said,) = struct.unpack_from(">Q", begin, FLAC_LENGTH_AT)
        struct.pack_into(">Q", begin, FLAC_LENGTH_AT, said & ~_FLAC_SAMPLES | samples)
