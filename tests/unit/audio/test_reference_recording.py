"""Recordings made ready for a codec: trimmed, cut in a pause where nobody knows the words, resampled."""

import numpy as np
import pytest
from tests.unit.audio.sounds import babble, record

from june_tts.audio.reference import LONGEST_SECONDS, cut, reference
from june_tts.errors import InvalidRecording
from june_tts.types import Samples

pytestmark = pytest.mark.unit

RATE = 16_000
CODEC_RATE = 44_100


def wav(samples: Samples) -> bytes:
    return record(samples, RATE, "wav", "pcm_s16le")


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def test_silence_around_speech_is_taken_away_and_the_rate_is_the_codecs() -> None:
    data = wav(np.concatenate([silence(2), babble(5, RATE), silence(3)]))
    found = reference(data, CODEC_RATE, whole=True)
    # babble ends with a pause of its own; a margin of a tenth of a second is kept at both ends
    assert 4.5 < found.size / CODEC_RATE < 5.3
    assert found.dtype == np.float32


def test_a_long_recording_is_cut_in_a_pause_unless_its_words_are_known() -> None:
    data = wav(np.concatenate([babble(24, RATE), silence(1), babble(20, RATE)]))
    assert reference(data, RATE, whole=True).size / RATE > 44
    found = reference(data, RATE, whole=False)
    assert 24 <= found.size / RATE <= 25.2
    assert np.abs(found[-RATE // 20 :]).max() < 0.01


def test_a_short_one_is_not_cut() -> None:
    samples = babble(LONGEST_SECONDS, RATE)
    assert cut(samples, RATE) == samples.size


def test_it_is_never_longer_than_the_limit_even_without_a_pause() -> None:
    samples = np.ones(RATE * 100, np.float32)
    assert LONGEST_SECONDS * 2 / 3 <= cut(samples, RATE) / RATE <= LONGEST_SECONDS


def test_a_recording_that_nobody_judged_may_be_silent() -> None:
    assert reference(wav(silence(4)), RATE, whole=False).size == 4 * RATE


def test_one_that_cannot_be_decoded_is_refused() -> None:
    with pytest.raises(InvalidRecording):
        reference(b"gibberish", RATE, whole=False)
