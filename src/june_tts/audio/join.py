"""Several recordings of one speaker as one: what a voice is made of, where a client sends it in parts."""

from collections.abc import Iterator, Sequence

import numpy as np

from june_tts.audio.decode import Decoded, decode
from june_tts.audio.judge import MAX_SECONDS
from june_tts.audio.pcm import to_int16
from june_tts.audio.resample import Resampler
from june_tts.audio.wav import state_length, stream_header
from june_tts.errors import InvalidRecording
from june_tts.types import Samples

PAUSE_SECONDS = 0.2
"""Between two recordings, so that their words do not touch."""
MOST_RATE = 48_000
"""Hz of the whole; voices have nothing above."""


def joined(recordings: Sequence[bytes]) -> bytes:
    """One recording as it is; several, in their order, as a WAV of 16 bits at their highest rate. Blocks.

    Raises:
        InvalidRecording: naming the one that cannot be decoded, or where they are longer than MAX_SECONDS
            together.
    """
    if len(recordings) == 1:
        return recordings[0]
    parts = list(_decoded(recordings))
    rate = min(MOST_RATE, max(part.sample_rate for part in parts))
    pause = np.zeros(round(PAUSE_SECONDS * rate), np.float32)
    pieces = [piece for part in parts for piece in (pause, _resampled(part, rate))][1:]
    wav = bytearray(stream_header(rate) + to_int16(np.concatenate(pieces)).astype("<i2").tobytes())
    state_length(wav)
    return bytes(wav)


def _decoded(recordings: Sequence[bytes]) -> Iterator[Decoded]:
    seconds = -PAUSE_SECONDS
    for number, data in enumerate(recordings, 1):
        try:
            part = decode(data, max_seconds=MAX_SECONDS)
        except InvalidRecording as bad:
            raise InvalidRecording(f"{bad} (recording {number} of {len(recordings)})", param="file") from bad
        seconds += PAUSE_SECONDS + part.duration
        if seconds > MAX_SECONDS:
            raise InvalidRecording(
                f"file: the first {number} of {len(recordings)} recordings last {seconds:.1f} s together: "
                f"expected at most {MAX_SECONDS} s",
                param="file",
            )
        yield part


def _resampled(part: Decoded, rate: int) -> Samples:
    resampler = Resampler(part.sample_rate, rate)
    return np.concatenate([resampler.feed(part.samples), resampler.finish()])
