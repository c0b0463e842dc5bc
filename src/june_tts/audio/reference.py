"""A recording at the rate of the codec: all of it, or made ready to be spoken like, its speech alone."""

import numpy as np

from june_tts.audio.decode import decode
from june_tts.audio.resample import Resampler
from june_tts.audio.speech import listen
from june_tts.types import Samples

LONGEST_SECONDS = 30.0
"""Used of a recording whose words nobody wrote down: more costs memory and time, and helps little."""
MOST_SECONDS = 180.0
"""Decoded. What is uploaded is shorter, rows of an adopted table need not be; Fish's codec ends at 190 s."""

_PAUSE_SECONDS = 0.2
_HOP_SECONDS = 0.02
_EARLIEST_CUT = 2 / 3
"""Of LONGEST_SECONDS."""


def reference(data: bytes, sample_rate: int, *, whole: bool) -> Samples:
    """The speech in a recording, mono at `sample_rate` Hz. Blocks, up to a second.

    Args:
        whole: keep all of it, for a recording whose transcript is known: what is cut off the sound could not
            be cut off the words. Else it is cut in a pause before LONGEST_SECONDS.

    Raises:
        InvalidRecording: it cannot be decoded, or lasts longer than MOST_SECONDS.
    """
    recording = decode(data, max_seconds=MOST_SECONDS)
    rate = recording.sample_rate
    heard = listen(recording.samples, rate)
    samples = recording.samples[round(heard.start * rate) : round(heard.end * rate)]
    if not samples.size:  # nothing was told from silence: an adopted recording was never judged
        samples = recording.samples
    if not whole:
        samples = samples[: cut(samples, rate)]
    resampler = Resampler(rate, sample_rate)
    return np.concatenate([resampler.feed(samples), resampler.finish()])


def recording(data: bytes, sample_rate: int) -> Samples:
    """All of a recording, mono at `sample_rate` Hz. Blocks. Raises: as `reference`."""
    whole = decode(data, max_seconds=MOST_SECONDS)
    resampler = Resampler(whole.sample_rate, sample_rate)
    return np.concatenate([resampler.feed(whole.samples), resampler.finish()])


def cut(samples: Samples, rate: int, longest: float = LONGEST_SECONDS) -> int:
    """Where to end, in samples: amid the quietest fifth of a second in the last third of `longest`."""
    if samples.size <= longest * rate:
        return samples.size
    hop = max(1, round(_HOP_SECONDS * rate))
    first = round(longest * _EARLIEST_CUT * rate)
    late = samples[first : round(longest * rate)]
    power = (late[: late.size // hop * hop].reshape(-1, hop).astype(np.float64) ** 2).mean(axis=1)
    width = round(_PAUSE_SECONDS / _HOP_SECONDS)
    quiet = np.convolve(power, np.ones(width), "valid")
    return first + (int(quiet.argmin()) + width // 2) * hop
