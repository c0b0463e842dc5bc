"""One gain per voice, and peaks that bend instead of clipping."""

import numpy as np
import pytest

from june_tts.engine.loudness import KNEE, amplified, gain_for
from june_tts.types import Samples

pytestmark = pytest.mark.unit


def tone(level: float, seconds: float = 1.0) -> Samples:
    wave: Samples = (level * np.sin(np.arange(int(24_000 * seconds)) * 0.05)).astype(np.float32)
    return wave


@pytest.mark.parametrize("level", [0.05, 0.1, 0.5])
def test_any_speech_comes_to_the_same_level(level: float) -> None:
    lifted = amplified(tone(level), gain_for(tone(level)))
    assert np.sqrt((lifted**2).mean()) == pytest.approx(0.1, rel=0.01)


def test_pauses_do_not_count() -> None:
    paused = np.concatenate([tone(0.2), np.zeros(48_000, np.float32)])
    assert gain_for(paused) == pytest.approx(gain_for(tone(0.2)), rel=0.02)


@pytest.mark.parametrize("speech", [np.zeros(24_000, np.float32), np.zeros(0, np.float32)])
def test_silence_is_left_alone(speech: Samples) -> None:
    assert gain_for(speech) == 1.0


def test_peaks_stay_below_full_scale_and_keep_their_order() -> None:
    ramp = np.linspace(-1, 1, 2001, dtype=np.float32)
    out = amplified(ramp, 2.0)
    assert np.abs(out).max() < 1.0
    assert (np.diff(out) >= 0).all()
    quiet = np.abs(2.0 * ramp) < KNEE
    np.testing.assert_allclose(out[quiet], 2.0 * ramp[quiet], rtol=1e-6)
