"""Incremental encoding: speech as it is made, to bytes that leave at once."""

from collections.abc import Callable
from typing import Protocol

from june_tts.audio.codec import CodecEncoder
from june_tts.audio.formats import FORMATS, MEDIA_TYPES, pick_rate
from june_tts.audio.g711 import companded
from june_tts.audio.pcm import to_int16
from june_tts.audio.resample import Resampler
from june_tts.audio.wav import stream_header
from june_tts.types import Format, Samples

__all__ = ["FORMATS", "MEDIA_TYPES", "Encoder", "open_encoder"]


class Encoder(Protocol):
    """One stream's encoder. Not thread-safe, but its calls may come from different threads in turn.

    The calls compute (up to 1 % of the audio's duration), so an event loop makes them in a worker thread.
    """

    media_type: str
    sample_rate: int
    """Hz, of the encoded audio."""

    def encode(self, samples: Samples) -> bytes:
        """Float32 mono at the source rate, shape (n,), n may be 0, to the bytes ready now, b"" included.

        Any chunking gives the same audio. The first call gives the header. NaN and infinity are silence,
        what is too loud is clipped.
        """
        ...

    def finish(self) -> bytes:
        """The rest of the bytes; called once, after the last `encode`. Frees the encoder."""
        ...

    def close(self) -> None:
        """Free everything without flushing. May be called at any time and more than once."""
        ...


def open_encoder(
    format: Format, source_rate: int, sample_rate: int | None = None, bit_rate: int | None = None
) -> Encoder:
    """An encoder for speech at `source_rate` Hz.

    Args:
        sample_rate: Hz of the encoded audio; None picks the source's, or the next one that the format has.
        bit_rate: bits per second of a lossy codec, one that it has at this sample rate; None: the format's.

    Raises:
        InvalidRequest: the format is unknown or cannot have this sample rate.
    """
    rate = pick_rate(format, source_rate, sample_rate)
    if FORMATS[format].container is None:
        resampler = Resampler(source_rate, rate)
        if format == "ulaw" or format == "alaw":
            return PcmEncoder(
                MEDIA_TYPES[format], rate, resampler, lambda samples: companded(samples, format)
            )
        header = stream_header(rate) if format == "wav" else b""
        return PcmEncoder(MEDIA_TYPES[format], rate, resampler, _to_bytes, header)
    return CodecEncoder(FORMATS[format], source_rate, rate, bit_rate)


class PcmEncoder:
    """Each sample as a number after a header, which is empty for raw samples."""

    def __init__(
        self,
        media_type: str,
        sample_rate: int,
        resampler: Resampler,
        to_bytes: Callable[[Samples], bytes],
        header: bytes = b"",
    ) -> None:
        self.media_type = media_type
        self.sample_rate = sample_rate
        self._header = header
        self._resampler: Resampler | None = resampler
        self._to_bytes = to_bytes

    def encode(self, samples: Samples) -> bytes:
        return self._take_header() + self._to_bytes(self._open().feed(samples))

    def finish(self) -> bytes:
        rest = self._take_header() + self._to_bytes(self._open().finish())
        self.close()
        return rest

    def close(self) -> None:
        self._resampler = None

    def _open(self) -> Resampler:
        if self._resampler is None:
            raise ValueError("the encoder is closed")
        return self._resampler

    def _take_header(self) -> bytes:
        header, self._header = self._header, b""
        return header


def _to_bytes(samples: Samples) -> bytes:
    """16 bits, little-endian."""
    return to_int16(samples).astype("<i2", copy=False).tobytes()
