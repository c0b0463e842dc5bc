"""Bytes of a reply to samples as they come: raw 16-bit PCM, or a WAV whose header says what follows."""

import re
import struct

import numpy as np

from june_tts.errors import EngineFailed
from june_tts.types import Samples

MOST_HEADER_BYTES = 65_536
"""Before the samples; some programs put pictures there."""
RIFF = b"RIFF"
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
RATES = (4_000, 192_000)
"""Hz."""

_RATE = re.compile(r"\brate=(\d{4,6})\b")


class PcmReader:
    """One reply. Any chunking gives the same samples; several channels are mixed down to one.

    Whether there is a header is seen, not believed: fish-speech's own server calls headerless PCM audio/wav.
    """

    def __init__(self, media_type: str, default_rate: int) -> None:
        """`default_rate` (Hz) is that of raw PCM whose media type names none: `audio/pcm;rate=24000`."""
        stated = _RATE.search(media_type.lower())
        self.sample_rate = _checked(int(stated[1]) if stated else default_rate)
        self._rest = b""
        self._began = False
        self._channels = 1
        self._type = np.dtype("<i2")
        self._left: int | None = None
        """Bytes of the data chunk still to come; None where its length is open."""

    def feed(self, data: bytes) -> Samples:
        """The samples ready now, shape (n,); n may be 0. Raises: EngineFailed."""
        self._rest += data
        if not self._began and not self._begin():
            return np.zeros(0, np.float32)
        frame = self._channels * self._type.itemsize
        usable = len(self._rest) if self._left is None else min(len(self._rest), self._left)
        usable -= usable % frame
        taken, self._rest = self._rest[:usable], self._rest[usable:]
        if self._left is not None:
            self._left -= usable
            if self._left < frame:
                self._rest = b""  # what follows the samples is a note about them
        return self._samples(taken)

    def _begin(self) -> bool:
        """Whether it is known where the samples begin."""
        if len(self._rest) < len(RIFF) and RIFF.startswith(self._rest):
            return False
        if not self._rest.startswith(RIFF):
            self._began = True
            return True
        at = 12
        while at + 8 <= len(self._rest):
            name, size = struct.unpack_from("<4sI", self._rest, at)
            at += 8
            if name == b"data":
                self._left = None if size == 0 or size >= 0x7FFF_0000 else size
                self._rest, self._began = self._rest[at:], True
                return True
            if name == b"fmt " and len(self._rest) >= at + 16:
                self._read_format(at, size)
            at += size + size % 2
        if len(self._rest) > MOST_HEADER_BYTES:
            raise EngineFailed("the server sent a WAV whose header leads to no samples")
        return False

    def _read_format(self, at: int, size: int) -> None:
        kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", self._rest, at)
        if kind == EXTENSIBLE and size >= 26 and len(self._rest) >= at + 26:
            (kind,) = struct.unpack_from("<H", self._rest, at + 24)
        types = {(PCM, 16): "<i2", (PCM, 32): "<i4", (FLOAT, 32): "<f4"}
        if (kind, bits) not in types or not 1 <= channels <= 8:
            raise EngineFailed(
                f"the server sent a WAV of format {kind}, {bits} bits, {channels} channels: expected PCM"
            )
        self._type, self._channels = np.dtype(types[kind, bits]), channels
        self.sample_rate = _checked(rate)

    def _samples(self, data: bytes) -> Samples:
        values = np.frombuffer(data, self._type)
        scale = 1.0 if self._type.kind == "f" else 2.0 ** (8 * self._type.itemsize - 1)
        mixed: Samples = (
            (values.astype(np.float32) / np.float32(scale))
            .reshape(-1, self._channels)
            .mean(axis=1, dtype=np.float32)
        )
        return mixed


def _checked(rate: int) -> int:
    low, high = RATES
    if not low <= rate <= high:
        raise EngineFailed(f"the server sent audio at {rate} Hz: expected {low} to {high} Hz")
    return rate
