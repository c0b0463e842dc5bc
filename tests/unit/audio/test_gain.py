"""Louder and softer, without clipping."""

import numpy as np
import pytest

from june_tts.audio.encode import open_encoder
from june_tts.audio.gain import KNEE, GainEncoder, bent
from june_tts.types import Samples

pytestmark = pytest.mark.unit

RATE = 24_000


def tone(peak: float) -> Samples:
    samples: Samples = (peak * np.sin(np.arange(RATE) * 0.05)).astype(np.float32)
    return samples


def encoded(samples: Samples, decibels: float, *cuts: int) -> bytes:
    encoder = GainEncoder(open_encoder("pcm", RATE, 16_000), decibels)
    return b"".join(map(encoder.encode, np.split(samples, cuts))) + encoder.finish()


def test_what_stays_below_the_knee_is_only_scaled() -> None:
    quiet = tone(KNEE)
    assert np.array_equal(bent(quiet), quiet)
    halved = np.frombuffer(encoded(tone(0.6), -6.0206), "<i2")
    assert np.abs(halved).max() == pytest.approx(0.3 * 32768, rel=0.01)


def test_what_is_too_loud_keeps_its_order_and_its_sign_and_stays_within_full_scale() -> None:
    rising = np.linspace(-20, 20, 10_001, dtype=np.float32)
    shaped = bent(rising)
    assert np.abs(shaped).max() < 1
    assert (np.diff(shaped) > 0).all()
    assert np.array_equal(np.sign(shaped), np.sign(rising))


def test_any_chunking_gives_the_same_bytes() -> None:
    samples = tone(0.5)
    assert encoded(samples, 12) == encoded(samples, 12, 1, 2, 700, 701, 20_000)


def test_it_says_what_the_encoder_behind_it_says_and_closes_it() -> None:
    encoder = GainEncoder(open_encoder("mp3", RATE), 3)
    assert (encoder.media_type, encoder.sample_rate) == ("audio/mpeg", RATE)
    encoder.close()
    with pytest.raises(ValueError, match="closed"):
        encoder.encode(tone(0.1))
