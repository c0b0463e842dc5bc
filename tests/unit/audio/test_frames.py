"""Frames of one length from chunks of any: nothing is lost, and the chunking cannot be heard."""

import numpy as np
import pytest

from june_tts.audio.frames import Framer
from june_tts.types import Samples

pytestmark = pytest.mark.unit


def framed(samples: Samples, rate: int, cuts: list[int]) -> np.ndarray:
    framer = Framer(rate, 48_000, 960)
    frames = [frame for part in np.split(samples, cuts) for frame in framer.feed(part)]
    frames += framer.finish()
    assert {frame.size for frame in frames} <= {960}
    return np.concatenate(frames) if frames else np.zeros(0, np.int16)


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100, 48_000])
def test_any_chunking_gives_the_same_frames(rate: int) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, int(0.73 * rate)).astype(np.float32)
    whole = framed(noise, rate, [])
    torn = framed(noise, rate, [1, 2, 500, 501, rate // 3, rate // 2])
    np.testing.assert_array_equal(whole, torn)
    assert 0 <= whole.size - 0.73 * 48_000 < 961


def test_nothing_gives_no_frame() -> None:
    assert framed(np.zeros(0, np.float32), 22_050, []).size == 0
