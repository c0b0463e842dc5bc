"""Samples to 16 bit, and the same stream at another rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.unit.audio.sounds import noise, tone

from june_tts.audio.pcm import clean, to_int16
from june_tts.audio.resample import Resampler
from june_tts.types import Samples

pytestmark = pytest.mark.unit


def test_too_loud_samples_are_clipped_and_never_wrap() -> None:
    loud = np.array([1.0, 1.5, 1e30, -1.0, -1.5, -1e30], np.float32)
    assert to_int16(loud).tolist() == [32767, 32767, 32767, -32768, -32768, -32768]


def test_samples_that_are_no_numbers_become_silence() -> None:
    odd = np.array([np.nan, np.inf, -np.inf, 0.5], np.float32)
    assert to_int16(odd).tolist() == [0, 0, 0, 16384]


def test_every_16_bit_sample_survives_a_round_trip() -> None:
    values = np.arange(-32768, 32768, dtype=np.int32)
    np.testing.assert_array_equal(to_int16((values / 32768).astype(np.float32)), values)


@settings(deadline=None)
@given(arrays(np.float32, st.integers(0, 50)))
def test_clean_samples_are_always_within_full_scale(samples: Samples) -> None:
    assert np.all(np.abs(clean(samples)) <= 1)


@settings(deadline=None)
@given(
    cuts=st.lists(st.integers(0, 900), max_size=20), rates=st.sampled_from([(22050, 24000), (24000, 16000)])
)
def test_any_chunking_resamples_to_the_same_samples(cuts: list[int], rates: tuple[int, int]) -> None:
    samples = noise(0.2, rates[0])
    chunked, out, start = Resampler(*rates), [], 0
    for cut in cuts:
        out.append(chunked.feed(samples[start : start + cut]))
        start += cut
    out += [chunked.feed(samples[start:]), chunked.finish()]
    whole = Resampler(*rates)
    np.testing.assert_array_equal(np.concatenate(out), np.concatenate([whole.feed(samples), whole.finish()]))


@pytest.mark.parametrize(
    ("source", "target"), [(22050, 24000), (24000, 48000), (44100, 8000), (16000, 22050)]
)
def test_resampling_keeps_length_pitch_and_level(source: int, target: int) -> None:
    resampler = Resampler(source, target)
    out = np.concatenate([resampler.feed(tone(1, source)), resampler.finish()])
    assert out.size == target
    middle = slice(target // 4, -target // 4)
    np.testing.assert_allclose(out[middle], tone(1, target)[middle], atol=1e-3)


def test_equal_rates_pass_straight_through_with_nothing_held_back() -> None:
    resampler = Resampler(24000, 24000)
    np.testing.assert_array_equal(resampler.feed(tone(0.1, 24000)), tone(0.1, 24000))
    assert resampler.finish().size == 0


def test_one_broken_sample_does_not_spoil_those_around_it() -> None:
    samples = tone(0.5, 22050)
    samples[5000] = np.nan
    resampler = Resampler(22050, 24000)
    out = np.concatenate([resampler.feed(samples), resampler.finish()])
    np.testing.assert_allclose(out[8000:11000], tone(0.5, 24000)[8000:11000], atol=1e-3)
