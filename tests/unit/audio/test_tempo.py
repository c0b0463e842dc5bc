"""Tempo: as much shorter or longer as asked, at the same pitch, as it comes."""

import numpy as np
import pytest

from june_tts.audio.tempo import Tempo
from june_tts.types import Samples

pytestmark = pytest.mark.unit

RATE = 44_100
PITCH = 220.0


def tone(seconds: float) -> Samples:
    return (0.5 * np.sin(2 * np.pi * PITCH * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def changed(samples: Samples, factor: float, chunk: int = 2048) -> Samples:
    tempo = Tempo(RATE, factor)
    parts = [tempo.feed(samples[at : at + chunk]) for at in range(0, samples.size, chunk)]
    return np.concatenate([*parts, tempo.finish()])


@pytest.mark.parametrize("factor", [0.25, 0.5, 0.8, 1.3, 2.0, 4.0])
def test_it_lasts_as_long_as_asked_at_the_same_pitch(factor: float) -> None:
    heard = changed(tone(4.0), factor)
    assert heard.dtype == np.float32
    assert heard.size / RATE == pytest.approx(4.0 / factor, abs=0.06)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(heard.size)))
    assert spectrum.argmax() * RATE / heard.size == pytest.approx(PITCH, abs=3)


def test_a_factor_of_one_changes_nothing() -> None:
    assert np.array_equal(changed(tone(0.5), 1.0), tone(0.5))


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_any_chunking_gives_the_same(factor: float) -> None:
    assert np.array_equal(changed(tone(1.0), factor, 700), changed(tone(1.0), factor, 10_000))


def test_it_comes_while_it_is_fed() -> None:
    tempo = Tempo(RATE, 1.5)
    first = next(at for at in range(1, 100) if tempo.feed(tone(0.01)).size)
    assert first * 0.01 <= 0.2


def test_nothing_in_is_nothing_out() -> None:
    assert changed(tone(0.0), 2.0).size == 0
    assert Tempo(RATE, 2.0).feed(np.zeros(0, np.float32)).size == 0
