"""What makes a usable recording: length, rate, speech; and what is said of a poor one."""

import itertools

import numpy as np
import pytest
from tests.unit.audio.sounds import babble, noise, tone

from june_tts.audio.encode import open_encoder
from june_tts.audio.judge import MAX_SECONDS, MIN_SECONDS, judge
from june_tts.errors import InvalidRecording
from june_tts.types import Samples

pytestmark = pytest.mark.unit

RATE = 24_000


def wav(samples: Samples, rate: int = RATE) -> bytes:
    encoder = open_encoder("wav", rate)
    return encoder.encode(samples) + encoder.finish()


def refusal(samples: Samples, rate: int = RATE) -> str:
    with pytest.raises(InvalidRecording) as refused:
        judge(wav(samples, rate))
    assert refused.value.param == "file"
    return str(refused.value)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def test_a_good_recording_is_reported_in_full_and_needs_no_advice() -> None:
    report = judge(wav(babble(12, RATE))).report
    assert (report.format, report.sample_rate, report.channels) == ("wav", RATE, 1)
    assert report.duration == 12
    assert report.speech_duration == pytest.approx(12, abs=0.6)
    assert -30 < report.level_dbfs < report.peak_dbfs <= 0
    assert report.snr_db > 30
    assert report.clipping == 0
    assert report.advice == ()


def test_silence_around_the_speech_is_trimmed_to_a_margin() -> None:
    judged = judge(wav(np.concatenate([silence(2), babble(9, RATE), silence(3)])))
    assert judged.report.duration == 14
    assert judged.report.speech_duration == pytest.approx(8.7 + 0.1, abs=0.2)
    assert judged.samples.size / judged.sample_rate == pytest.approx(judged.report.speech_duration, abs=0.001)
    assert judged.sample_rate == RATE


def test_a_click_in_the_silence_is_not_where_speech_begins() -> None:
    samples = np.concatenate([silence(2), babble(9, RATE)])
    samples[RATE] = 0.9
    assert judge(wav(samples)).report.speech_duration < 9.3


@pytest.mark.parametrize(("seconds", "found"), [(2.9, "it lasts 2.9 s"), (60.5, "it lasts more than 60 s")])
def test_a_recording_of_the_wrong_length_is_refused_with_both_limits(seconds: float, found: str) -> None:
    said = refusal(babble(seconds, RATE))
    assert found in said
    assert str(MAX_SECONDS) in said


@pytest.mark.parametrize("seconds", [MIN_SECONDS + 0.2, MAX_SECONDS])
def test_a_recording_within_the_limits_is_taken(seconds: float) -> None:
    assert judge(wav(babble(seconds, RATE))).report.duration == pytest.approx(seconds)


def test_little_speech_in_a_long_recording_is_refused() -> None:
    said = refusal(np.concatenate([silence(5), babble(2.2, RATE), silence(5)]))
    assert "2.4 s are left without the silence around the speech: expected at least 3 s" in said


@pytest.mark.parametrize(("rate", "usable"), [(8000, False), (11025, False), (16000, True), (48000, True)])
def test_a_sample_rate_below_16_khz_is_refused(rate: int, usable: bool) -> None:
    if usable:
        assert judge(wav(babble(5, rate), rate)).report.sample_rate == rate
    else:
        assert f"its sample rate is {rate} Hz: expected at least 16000 Hz" in refusal(babble(5, rate), rate)


def beeps(hertz: float) -> Samples:
    return in_bursts(tone(6, RATE, hertz))


def in_bursts(samples: Samples) -> Samples:
    """On and off three times a second, as syllables are."""
    return samples * (np.arange(samples.size) % (RATE // 3) < RATE // 6).astype(np.float32)


def melody() -> Samples:
    """Plucked notes of a quarter of a second."""
    decay = np.exp(-6 * np.arange(RATE // 4) / RATE).astype(np.float32)
    notes = itertools.islice(itertools.cycle([131, 147, 165, 131, 196, 175]), 24)
    return np.concatenate([(tone(0.25, RATE, n) + tone(0.25, RATE, 2 * n) / 2) * decay for n in notes])


def clicks() -> Samples:
    samples = silence(6)
    samples[:: RATE // 5] = 0.9
    return samples


NO_SPEECH = {
    "digital silence": (silence(6), "it is silent"),
    "a constant voltage": (silence(6) + np.float32(0.4), "it is silent"),
    "hiss": (noise(6, RATE), "its level hardly moves"),
    "room tone": (noise(6, RATE, 1e-3), "its level hardly moves"),
    "a held tone": (tone(6, RATE), "its level hardly moves"),
    "mains hum": (tone(6, RATE, 50) + tone(6, RATE, 150) / 3, "its level hardly moves"),
    "bursts of noise": (in_bursts(noise(6, RATE)), "it has little pitch"),
    "beeps": (beeps(400), "its pitch hardly glides"),
    "a buzzer": (np.sign(beeps(150)) / np.float32(3), "its pitch hardly glides"),
    "clicks": (clicks(), "no speech was found"),
    "a melody": (melody(), "its pitch hardly glides"),
}


@pytest.mark.parametrize("name", NO_SPEECH)
def test_sound_without_speech_is_refused_with_the_reason(name: str) -> None:
    samples, reason = NO_SPEECH[name]
    assert reason in refusal(samples)


def test_noise_is_measured_and_advised_against() -> None:
    speech = babble(12, RATE)
    previous = 60.0
    for level, expected in ((0.0015, 36), (0.005, 26), (0.015, 16)):
        report = judge(wav(speech + noise(12, RATE, level))).report
        assert report.snr_db < previous
        assert report.snr_db == pytest.approx(expected, abs=4)
        assert any("noisy" in line for line in report.advice) == (expected < 20)
        previous = report.snr_db


def test_clipping_is_measured_and_advised_against() -> None:
    report = judge(wav(babble(12, RATE, level=3))).report
    assert 0.01 < report.clipping < 0.9
    assert report.peak_dbfs == pytest.approx(0, abs=0.01)
    assert any("clips" in line and "lower the microphone's gain" in line for line in report.advice)


def test_a_quiet_recording_is_taken_with_advice() -> None:
    report = judge(wav(babble(12, RATE, level=0.006))).report
    assert report.level_dbfs < -40
    assert any("quiet" in line for line in report.advice)


@pytest.mark.parametrize(("seconds", "advised"), [(5, True), (12, False), (29, False), (40, True)])
def test_the_best_length_is_advised(seconds: float, advised: bool) -> None:
    advice = judge(wav(babble(seconds, RATE))).report.advice
    assert any("10 to 30 s is best" in line for line in advice) == advised
