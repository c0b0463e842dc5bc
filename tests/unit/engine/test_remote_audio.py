"""Bytes of a reply to samples: WAV or raw, in any chunking."""

import io
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from june_tts.audio.wav import stream_header
from june_tts.engine.remote_audio import MOST_HEADER_BYTES, PcmReader
from june_tts.errors import EngineFailed
from june_tts.types import Samples

pytestmark = pytest.mark.unit

TONE = (0.5 * np.sin(np.arange(500) / 7)).astype(np.float32)
RAW = (TONE * 32767).astype("<i2").tobytes()


def wav(subtype: str = "PCM_16", channels: int = 1) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.tile(TONE[:, None], (1, channels)), 22_050, format="WAV", subtype=subtype)
    return out.getvalue()


def read(data: bytes, cuts: list[int], media: str = "audio/wav") -> tuple[Samples, int]:
    reader = PcmReader(media, 44_100)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    parts = [reader.feed(data[a:b]) for a, b in zip(edges, edges[1:], strict=False)]
    return np.concatenate(parts), reader.sample_rate


cuts = st.lists(st.integers(0, 5000), max_size=12)


@given(cuts)
def test_any_chunking_of_a_wav_gives_its_samples(at: list[int]) -> None:
    samples, rate = read(wav(), at)
    assert rate == 22_050
    np.testing.assert_allclose(samples, TONE, atol=1e-4)


@given(cuts)
def test_any_chunking_of_raw_pcm_gives_its_samples_whatever_it_is_called(at: list[int]) -> None:
    """fish-speech's own server calls it audio/wav."""
    samples, rate = read(RAW, at, "audio/wav")
    assert rate == 44_100
    np.testing.assert_allclose(samples, TONE, atol=1e-4)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_32", "FLOAT"])
@pytest.mark.parametrize("channels", [1, 2])
def test_every_usual_sample_format_is_read(subtype: str, channels: int) -> None:
    samples, _ = read(wav(subtype, channels), [3, 50, 51, 333])
    np.testing.assert_allclose(samples, TONE, atol=1e-4)


def test_a_header_of_open_length_is_read_to_the_end() -> None:
    samples, rate = read(stream_header(24_000) + RAW, [45, 100])
    assert (samples.size, rate) == (TONE.size, 24_000)


def test_what_follows_the_samples_is_no_sound() -> None:
    samples, _ = read(wav() + b"LIST" + struct.pack("<I", 400) + b"\x55" * 400, [700])
    assert samples.size == TONE.size


def test_the_media_type_may_name_the_rate() -> None:
    assert read(RAW, [], "audio/pcm; rate=16000")[1] == 16_000


@pytest.mark.parametrize("subtype", ["PCM_24", "ULAW", "PCM_U8"])
def test_other_sample_formats_are_refused_by_name(subtype: str) -> None:
    with pytest.raises(EngineFailed, match="expected PCM"):
        read(wav(subtype), [])


def test_a_header_without_an_end_is_given_up() -> None:
    endless = b"RIFF\xff\xff\xff\x7fWAVEjunk" + struct.pack("<I", 0x7FFFFFFF)
    with pytest.raises(EngineFailed, match="leads to no samples"):
        read(endless + bytes(MOST_HEADER_BYTES), [])


def test_an_impossible_rate_is_refused() -> None:
    with pytest.raises(EngineFailed, match="500000 Hz"):
        read(stream_header(500_000) + RAW, [])
