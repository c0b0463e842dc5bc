"""Audio bytes are told from header bytes however the stream is cut."""

import io
import struct
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from june_tts.load.wav import NotAudio, PcmCounter, WavCounter

pytestmark = pytest.mark.unit


def wav(audio: bytes, *, rate: int = 22_050, channels: int = 1) -> bytes:
    with io.BytesIO() as sink:
        with wave.open(sink, "wb") as file:
            file.setparams((channels, 2, rate, 0, "NONE", ""))
            file.writeframes(audio)
        return sink.getvalue()


def streamed(size: int, audio: bytes) -> bytes:
    return wav(b"")[:40] + struct.pack("<I", size) + audio


def fed(*parts: bytes) -> list[int]:
    counter = WavCounter()
    return [counter.feed(part) for part in parts]


def test_pcm_is_audio_from_the_first_byte() -> None:
    counter = PcmCounter(24_000)
    assert (counter.feed(b"abcd"), counter.byte_rate) == (4, 48_000)


@given(st.lists(st.integers(0, 244), max_size=6))
def test_any_cut_of_a_wav_counts_its_audio_once(cuts: list[int]) -> None:
    body = wav(bytes(200))
    edges = [0, *sorted(cuts), len(body)]
    counter = WavCounter()
    assert sum(counter.feed(body[a:b]) for a, b in zip(edges, edges[1:], strict=False)) == 200
    assert counter.byte_rate == 44_100


def test_the_header_alone_is_no_audio() -> None:
    assert fed(wav(b"")[:44], b"\1\2") == [0, 2]


@pytest.mark.parametrize("size", [0, 0x7FFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFDB])
def test_a_streamed_header_without_a_size_lets_all_audio_count(size: int) -> None:
    assert fed(streamed(size, b"\0" * 600), b"\0" * 400) == [600, 400]


def test_chunks_around_the_audio_do_not_count() -> None:
    plain = wav(b"\0" * 100)
    body = plain[:12] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + plain[12:] + b"LIST\4\0\0\0abcd"
    assert fed(body) == [100]


def test_stereo_bytes_are_half_as_long() -> None:
    counter = WavCounter()
    counter.feed(wav(b"\0" * 8, rate=48_000, channels=2))
    assert counter.byte_rate == 192_000


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "does not begin with a WAV header"),
        (b"RIFF\0\0\0\0AVI LIST", "does not begin with a WAV header"),
        (b"RIFF\0\0\0\0WAVEdata\4\0\0\0\0\0\0\0", "no usable fmt"),
        (b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\xff", "no data chunk"),
        (b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 9000, "no data chunk"),
    ],
)
def test_what_is_no_wav_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(NotAudio, match=said):
        fed(body)
