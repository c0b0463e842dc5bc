"""Encoding as speech is made: every format, any chunking, at once, and with nothing left behind."""

import io
import itertools
import tempfile
import wave
from pathlib import Path
from typing import get_args

import av
import numpy as np
import psutil
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.audio.sounds import noise, tone

from june_tts.audio.encode import FORMATS, MEDIA_TYPES, Encoder, open_encoder
from june_tts.audio.pcm import to_int16
from june_tts.errors import InvalidRequest
from june_tts.types import Format, Samples

pytestmark = pytest.mark.unit

RATE = 24_000
EVERY: tuple[Format, ...] = get_args(Format)
LOSSY: tuple[Format, ...] = ("mp3", "opus", "aac")
RAW_LAWS = {"ulaw": "mulaw", "alaw": "alaw"}
PADDING_SECONDS = 0.1
"""Codec delay and padding: mp3 and aac start with one or two frames of it."""
CUTS = st.lists(st.integers(0, 3000) | st.just(1) | st.just(0), max_size=12)


def encode(encoder: Encoder, samples: Samples, cuts: list[int]) -> bytes:
    out, start = [], 0
    for cut in cuts:
        out.append(encoder.encode(samples[start : start + cut]))
        start += cut
    return b"".join([*out, encoder.encode(samples[start:]), encoder.finish()])


def decode(name: Format, data: bytes, rate: int) -> tuple[Samples, int]:
    if name == "pcm":
        return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768), rate
    if name in RAW_LAWS:
        with av.open(io.BytesIO(data), "r", format=RAW_LAWS[name], options={"sample_rate": str(rate)}) as raw:
            found = [frame.to_ndarray()[0] for frame in raw.decode(audio=0)]
            return np.concatenate(found).astype(np.float32) / np.float32(32768), rate
    with av.open(io.BytesIO(data), "r") as container:
        resampler = av.AudioResampler("fltp")
        frames = [ready for frame in container.decode(audio=0) for ready in resampler.resample(frame)]
        return np.concatenate([frame.to_ndarray()[0] for frame in frames]), frames[0].sample_rate


def test_every_format_has_a_media_type() -> None:
    assert set(FORMATS) == set(MEDIA_TYPES) == set(EVERY)


@pytest.mark.parametrize("name", ["wav", "pcm", "flac"])
@settings(deadline=None)
@given(cuts=CUTS)
def test_any_chunking_gives_exactly_the_samples(name: Format, cuts: list[int]) -> None:
    samples = noise(0.4, RATE)
    decoded, rate = decode(name, encode(open_encoder(name, RATE), samples, cuts), RATE)
    assert rate == RATE
    np.testing.assert_array_equal(to_int16(decoded), to_int16(samples))


@pytest.mark.parametrize("name", LOSSY)
@settings(max_examples=30, deadline=None)
@given(cuts=CUTS)
def test_any_chunking_of_a_lossy_format_gives_the_same_bytes(name: Format, cuts: list[int]) -> None:
    samples = noise(0.4, RATE)
    whole = encode(open_encoder(name, RATE), samples, [])
    chunked = encode(open_encoder(name, RATE), samples, cuts)
    # an Ogg stream has a random serial number, and checksums over it
    assert len(chunked) == len(whole) if name == "opus" else chunked == whole


@pytest.mark.parametrize(("name", "source"), list(itertools.product(EVERY, [22050, 24000])))
def test_a_tone_keeps_its_length_pitch_and_quality(name: Format, source: int) -> None:
    encoder = open_encoder(name, source)
    rate = encoder.sample_rate
    decoded, decoded_rate = decode(name, encode(encoder, tone(2, source), [100] * 50), rate)
    assert 0 <= decoded.size / decoded_rate - 2 <= (PADDING_SECONDS if name in LOSSY else 0.001)
    middle = decoded[decoded_rate // 2 : decoded_rate // 2 + decoded_rate]
    power = np.abs(np.fft.rfft(middle * np.hanning(middle.size))) ** 2
    peak = int(power.argmax())
    assert peak == 440
    in_tone = power[peak - 4 : peak + 5].sum()
    assert 10 * np.log10(in_tone / (power.sum() - in_tone)) > 25
    # LAME turns everything down by 5 % so that nothing clips
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.06)


@pytest.mark.parametrize("name", EVERY)
def test_the_first_tenth_of_a_second_leaves_at_once(name: Format) -> None:
    encoder = open_encoder(name, RATE)
    header = encoder.encode(tone(0, RATE))
    assert encoder.encode(tone(0.1, RATE))
    assert bool(header) == (name not in ("pcm", "ulaw", "alaw", "mp3", "aac"))
    encoder.close()


@pytest.mark.parametrize("name", EVERY)
def test_what_has_left_can_be_played_before_the_end(name: Format) -> None:
    encoder = open_encoder(name, RATE)
    sent = b"".join(encoder.encode(chunk) for chunk in np.split(tone(1, RATE), 50))
    decoded, rate = decode(name, sent, encoder.sample_rate)
    assert decoded.size / rate > 0.85
    encoder.close()


@pytest.mark.parametrize("name", EVERY)
def test_broken_samples_become_silence_and_spoil_nothing(name: Format) -> None:
    samples = tone(1, RATE)
    samples[10_000:10_010] = np.nan
    samples[10_010:10_020] = np.inf
    decoded, rate = decode(name, encode(open_encoder(name, RATE), samples, [10_005]), RATE)
    assert np.isfinite(decoded).all()
    assert np.abs(decoded).max() < 0.5
    assert np.sqrt(np.mean(decoded[-rate // 4 : -rate // 8] ** 2)) == pytest.approx(0.21, abs=0.02)


def test_speech_that_is_too_loud_is_clipped_in_every_format() -> None:
    for name in EVERY:
        decoded, _ = decode(name, encode(open_encoder(name, RATE), tone(0.5, RATE, level=4), []), RATE)
        # a wrapped sample would jump by the whole range, 2; at 8 kHz the tone itself jumps by 1.3
        assert np.abs(np.diff(decoded)).max() < 1.5


@pytest.mark.parametrize(("name", "rate"), [(n, r) for n in EVERY for r in FORMATS[n].rates or (8000, 48000)])
def test_every_listed_rate_can_be_encoded(name: Format, rate: int) -> None:
    encoder = open_encoder(name, RATE, rate)
    assert encoder.sample_rate == rate
    decoded, decoded_rate = decode(name, encode(encoder, tone(1, RATE), []), rate)
    assert decoded_rate == (48000 if name == "opus" else rate)
    assert 1 <= decoded.size / decoded_rate < 1.5


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        *(("wav", 22050, 22050), ("pcm", 22050, 22050), ("flac", 22050, 22050), ("mp3", 22050, 22050)),
        *(("opus", 22050, 24000), ("opus", 44100, 48000), ("mp3", 96000, 48000), ("aac", 20000, 22050)),
    ],
)
def test_the_rate_is_the_sources_or_the_next_one_up(name: Format, source: int, expected: int) -> None:
    assert open_encoder(name, source).sample_rate == expected


@pytest.mark.parametrize(
    ("name", "rate"),
    [("opus", 22050), ("opus", 44100), ("mp3", 96000), ("aac", 1), ("wav", 0), ("pcm", 10**9)],
)
def test_a_rate_that_the_format_cannot_have_is_refused_by_name(name: Format, rate: int) -> None:
    with pytest.raises(InvalidRequest, match=f"sample_rate {rate}: {name} can have") as refused:
        open_encoder(name, RATE, rate)
    assert refused.value.param == "sample_rate"


def test_an_unknown_format_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidRequest, match="'tape': expected one of wav, pcm, mp3") as refused:
        open_encoder("tape", RATE)  # type: ignore[arg-type]  # what a caller without types may do
    assert refused.value.param == "format"


@pytest.mark.parametrize("rate", [22050, 48000])
def test_every_reader_finds_the_true_end_of_a_streamed_wav(rate: int) -> None:
    data = encode(open_encoder("wav", 22050, rate), tone(1.5, 22050), [22050])
    count = round(1.5 * rate)
    with wave.open(io.BytesIO(data)) as reader:
        assert (reader.getframerate(), reader.getnchannels(), reader.getsampwidth()) == (rate, 1, 2)
        assert len(reader.readframes(reader.getnframes())) == 2 * count
    assert soundfile.read(io.BytesIO(data))[0].size == count
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        path.write_bytes(data)
        assert soundfile.read(path)[0].size == count
        with av.open(path, "r") as container:
            assert sum(frame.samples for frame in container.decode(audio=0)) == count


@pytest.mark.parametrize("name", EVERY)
def test_an_encoder_that_is_closed_refuses_more_and_may_be_closed_again(name: Format) -> None:
    encoder = open_encoder(name, RATE)
    encoder.encode(tone(0.1, RATE))
    encoder.close()
    encoder.close()
    with pytest.raises(ValueError, match="closed"):
        encoder.encode(tone(0.1, RATE))
    with pytest.raises(ValueError, match="closed"):
        encoder.finish()


@pytest.mark.parametrize("name", EVERY)
def test_nothing_spoken_still_ends_cleanly(name: Format) -> None:
    encoder = open_encoder(name, RATE)
    ended = encoder.finish()
    assert bool(ended) == (name in ("wav", "opus", "flac"))
    encoder.close()


def _rss() -> int:
    return int(psutil.Process().memory_info().rss)


@pytest.mark.parametrize("name", EVERY)
def test_memory_stays_flat_over_ten_minutes_of_audio(name: Format) -> None:
    encoder, chunk = open_encoder(name, 8000), noise(1, 8000)
    for _ in range(60):
        encoder.encode(chunk)
    after_one_minute = _rss()
    for _ in range(9 * 60):
        encoder.encode(chunk)
    # nine minutes of samples would be 17 MB
    assert _rss() - after_one_minute < 4_000_000
    encoder.close()


@pytest.mark.parametrize("name", EVERY)
def test_closing_without_the_end_frees_everything(name: Format) -> None:
    def use(times: int) -> None:
        for _ in range(times):
            encoder = open_encoder(name, 22050)
            encoder.encode(chunk)
            encoder.close()

    chunk = noise(0.2, 22050)
    use(50)
    before = _rss()
    use(150)
    # an encoder takes 50 to 500 kB: a leak of them would be 8 MB or more
    assert _rss() - before < 4_000_000


@pytest.mark.parametrize("name", EVERY)
def test_a_stream_starts_no_threads_of_its_own(name: Format) -> None:
    process = psutil.Process()
    open_encoder(name, RATE).encode(tone(0.2, rate=RATE))
    before = process.num_threads()
    open_ones = [open_encoder(name, RATE) for _ in range(5)]
    for encoder in open_ones:
        encoder.encode(tone(0.2, rate=RATE))
    assert process.num_threads() == before
    for encoder in open_ones:
        encoder.finish()
