"""Several recordings as one."""

import io

import numpy as np
import pytest
import soundfile

from june_tts.audio.join import PAUSE_SECONDS, joined
from june_tts.errors import InvalidRecording

pytestmark = pytest.mark.unit


def tone(seconds: float, rate: int, hertz: float, channels: int = 1, format: str = "WAV") -> bytes:
    wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    out = io.BytesIO()
    soundfile.write(out, np.stack([wave] * channels, axis=1), rate, format=format)
    return out.getvalue()


def pitch(samples: np.ndarray[tuple[int], np.dtype[np.float32]], rate: int) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate / samples.size)


def test_one_recording_is_left_as_it_is() -> None:
    alone = tone(1.0, 22_050, 300, format="FLAC")
    assert joined([alone]) is alone
    assert joined([b"whatever"]) == b"whatever"


def test_recordings_of_different_kinds_follow_each_other_at_the_highest_rate() -> None:
    whole = joined([tone(1.0, 16_000, 200), tone(2.0, 44_100, 700, 2, "FLAC"), tone(1.0, 24_000, 400)])
    samples, rate = soundfile.read(io.BytesIO(whole), dtype="float32")
    assert (rate, samples.ndim) == (44_100, 1)
    assert samples.size == pytest.approx((4 + 2 * PAUSE_SECONDS) * rate, abs=3)
    starts = {0.1: 200, 1 + PAUSE_SECONDS + 0.1: 700, 3 + 2 * PAUSE_SECONDS + 0.1: 400}
    for start, hertz in starts.items():
        part = samples[round(start * rate) : round((start + 0.8) * rate)]
        assert pitch(part, rate) == pytest.approx(hertz, abs=2)


def test_no_rate_is_higher_than_voices_need() -> None:
    whole = joined([tone(1.0, 96_000, 200), tone(1.0, 16_000, 200)])
    assert soundfile.info(io.BytesIO(whole)).samplerate == 48_000


def test_the_header_states_the_length() -> None:
    whole = joined([tone(1.0, 16_000, 200)] * 3)
    assert soundfile.info(io.BytesIO(whole)).frames == pytest.approx((3 + 2 * PAUSE_SECONDS) * 16_000, abs=3)


def test_the_one_that_cannot_be_decoded_is_named() -> None:
    with pytest.raises(InvalidRecording, match=r"4 bytes of text.*\(recording 2 of 3\)"):
        joined([tone(1.0, 16_000, 200), b"noise"[:4], tone(1.0, 16_000, 200)])


def test_what_is_too_long_together_is_refused_before_the_rest_is_decoded() -> None:
    with pytest.raises(InvalidRecording, match=r"the first 3 of 4 recordings last 60\.4 s together"):
        joined([*[tone(20.0, 16_000, 200)] * 3, b"never looked at"])
