"""Counts audio bytes in a stream that arrives in any pieces: raw PCM, or a WAV whose header comes first."""

import struct
from typing import Protocol

_HEADER_LIMIT = 65_536
"""Bytes before the audio; a body without a `data` chunk by then is no speech."""
_ENDLESS = 0x7FFF_0000
"""A data size of zero or from here on means that the server did not know it yet."""


class NotAudio(Exception):
    """The body is not the audio that was asked for. Never leaves `load`: it becomes an outcome's error."""


class AudioCounter(Protocol):
    """Says how much of what arrived can be heard."""

    byte_rate: int
    """Bytes per second of audio; 0 until the header has been read."""

    def feed(self, data: bytes) -> int:
        """How many of these bytes are audio. Raises: NotAudio."""
        ...


class PcmCounter:
    """Headerless mono s16le at a rate in Hz."""

    def __init__(self, rate: int) -> None:
        self.byte_rate = rate * 2

    def feed(self, data: bytes) -> int:
        return len(data)


class WavCounter:
    """RIFF WAVE with any chunks before and after the audio."""

    def __init__(self) -> None:
        self.byte_rate = 0
        self._header: bytearray | None = bytearray()
        self._left: int | None = None
        """Audio bytes still to come; None where the header does not say."""

    def feed(self, data: bytes) -> int:
        if self._header is None:
            return self._count(len(data))
        self._header += data
        start = self._audio_start(self._header)
        if start is None:
            return 0
        size = len(self._header) - start
        self._header = None
        return self._count(size)

    def _count(self, size: int) -> int:
        if self._left is None:
            return size
        taken = min(size, self._left)
        self._left -= taken
        return taken

    def _audio_start(self, header: bytearray) -> int | None:
        if header[:4] != b"RIFF"[: len(header)] or (len(header) >= 12 and header[8:12] != b"WAVE"):
            raise NotAudio("the body does not begin with a WAV header")
        at = 12
        while len(header) >= at + 8:
            name, size = struct.unpack_from("<4sI", header, at)
            if name == b"data":
                self._left = size if 0 < size < _ENDLESS else None
                return self._checked(at + 8)
            if name == b"fmt " and len(header) >= at + 24:
                _, _, rate, _, block = struct.unpack_from("<HHIIH", header, at + 8)
                self.byte_rate = rate * block
            at += 8 + size + size % 2
        if max(at, len(header)) > _HEADER_LIMIT:
            raise NotAudio("the WAV header has no data chunk")
        return None

    def _checked(self, start: int) -> int:
        if self.byte_rate <= 0:
            raise NotAudio("the WAV header has no usable fmt chunk")
        return start
