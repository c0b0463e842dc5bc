"""Recordings from strangers: every promised format is read, everything else refused with a reason."""

import random
import struct
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.audio.sounds import babble, record, tone

from june_tts.audio.decode import decode
from june_tts.audio.encode import open_encoder
from june_tts.errors import InvalidRecording
from june_tts.types import Format, Samples

pytestmark = pytest.mark.unit

SECONDS = 4.0

FILES: dict[str, tuple[str, int, str, str, dict[str, Any]]] = {
    "wav 16 bit": ("wav", 24000, "wav", "pcm_s16le", {}),
    "wav 24 bit stereo": ("wav", 44100, "wav", "pcm_s24le", {"layout": "stereo"}),
    "wav float": ("wav", 48000, "wav", "pcm_f32le", {}),
    "wav 8 bit": ("wav", 16000, "wav", "pcm_u8", {}),
    "mp3": ("mp3", 44100, "mp3", "libmp3lame", {"layout": "stereo"}),
    "mp3 without a header": ("mp3", 24000, "mp3", "libmp3lame", {"write_xing": "0"}),
    "flac": ("flac", 48000, "flac", "flac", {}),
    "m4a": ("m4a", 44100, "ipod", "aac", {"layout": "stereo"}),
    "m4a in fragments": (
        "m4a",
        48000,
        "mp4",
        "aac",
        {"movflags": "frag_keyframe+empty_moov", "seekable": False},
    ),
    "m4a lossless": ("m4a", 44100, "ipod", "alac", {}),
    "aac": ("aac", 24000, "adts", "aac", {}),
    "ogg opus": ("ogg", 48000, "ogg", "libopus", {}),
    "ogg vorbis": ("ogg", 44100, "ogg", "vorbis", {"layout": "stereo"}),
    "webm": ("webm", 48000, "webm", "libopus", {}),
    "webm of a browser's recorder": ("webm", 48000, "webm", "libopus", {"seekable": False, "live": "1"}),
}
"""What is expected of `decode` (container, rate), then muxer, codec and options of the file."""


@cache
def recording(name: str) -> bytes:
    _, rate, container, codec, options = FILES[name]
    return record(babble(SECONDS, rate), rate, container, codec, **options)


def test_an_aac_that_begins_quietly_is_not_taken_to_be_cut_off() -> None:
    """It states no length, and libav's guess from its first, small frames is many times too long."""
    quiet = np.zeros(3 * 24_000, np.float32)
    data = record(np.concatenate([quiet, babble(SECONDS, 24_000)]), 24_000, "adts", "aac")
    assert decode(data, max_seconds=60).samples.size / 24_000 == pytest.approx(3 + SECONDS, abs=0.2)


def refusal(data: bytes, max_seconds: float = 60) -> str:
    with pytest.raises(InvalidRecording) as refused:
        decode(data, max_seconds=max_seconds)
    assert refused.value.param == "file"
    assert str(refused.value).startswith("file: ")
    return str(refused.value)


def likeness(original: Samples, heard: Samples, rate: int) -> float:
    """Correlation of the levels of every 20 ms, at the best of the delays that codecs have."""
    step = rate // 50
    levels = [np.abs(x[: x.size // step * step]).reshape(-1, step).mean(axis=1) for x in (original, heard)]
    count = min(level.size for level in levels) - 6
    return max(float(np.corrcoef(levels[0][:count], levels[1][n : n + count])[0, 1]) for n in range(6))


@pytest.mark.parametrize("name", FILES)
def test_every_promised_format_is_read_as_it_was_recorded(name: str) -> None:
    container, rate = FILES[name][:2]
    decoded = decode(recording(name), max_seconds=60)
    assert (decoded.format, decoded.sample_rate) == (container, rate)
    assert decoded.channels == (2 if "layout" in FILES[name][4] else 1)
    assert decoded.duration == pytest.approx(SECONDS, abs=0.1)
    assert decoded.samples.dtype == np.float32
    assert likeness(babble(SECONDS, rate), decoded.samples, rate) > 0.95


@pytest.mark.parametrize("name", ["wav", "mp3", "opus", "aac", "flac"])
def test_what_the_server_speaks_it_also_reads(name: Format) -> None:
    encoder = open_encoder(name, 24000)
    data = encoder.encode(babble(SECONDS, 24000)) + encoder.finish()
    assert decode(data, max_seconds=60).duration == pytest.approx(SECONDS, abs=0.1)


def test_stereo_is_mixed_down() -> None:
    left, right = tone(1, 16000), np.zeros(16000, np.float32)
    stereo = (np.stack([left, right], axis=1).ravel() * 32767).astype("<i2").tobytes()
    header = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 0, b"WAVE", b"fmt ", 16, 1, 2, 16000, 64000, 4, 16)
    decoded = decode(header + struct.pack("<4sI", b"data", len(stereo)) + stereo, max_seconds=60)
    np.testing.assert_allclose(decoded.samples, left / 2, atol=1e-4)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "it has 0 bytes"),
        (b"Dear server, this is a text.\n" * 40, "1160 bytes of text"),
        ("été\n".encode() * 300, "1800 bytes of text"),
        (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", "39 bytes of text"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "40 bytes of text"),
        (random.Random(1).randbytes(5000), "5000 bytes of data"),
        (b"\x89PNG\r\n\x1a\n" + bytes(500), "508 bytes of data"),
        (b"\xff", "1 bytes of data"),
    ],
)
def test_what_is_no_recording_is_refused_with_what_it_is(data: bytes, found: str) -> None:
    said = refusal(data)
    assert found in said
    assert "expected a recording as WAV, MP3, FLAC, M4A, AAC, OGG or WebM" in said


def test_a_refusal_never_quotes_the_file() -> None:
    assert "secret" not in refusal(b"my secret diary " * 20)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_which_only_the_header_came_is_refused(name: str) -> None:
    refusal(recording(name)[:60])


WITHOUT_LENGTH = ("webm of a browser's recorder",)
"""Nothing in the file says how long it is, and its blocks may end anywhere."""


@pytest.mark.parametrize("name", [name for name in FILES if name not in WITHOUT_LENGTH])
@pytest.mark.parametrize("share", [0.4, 0.8])
def test_a_file_cut_off_in_the_middle_is_refused(name: str, share: float) -> None:
    data = recording(name)
    assert "cut off" in refusal(data[: int(len(data) * share) | 1])


def test_a_tag_before_or_after_an_mp3_is_no_damage() -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)
    data = recording("mp3 without a header")
    whole = decode(data, max_seconds=60)
    for tagged in (
        tag + data,
        tag + tag + data,
        data + b"TAG" + bytes(125),
        data + b"LYRICSBEGIN" + b"la " * 50,
    ):
        assert decode(tagged, max_seconds=60).samples.size == whole.samples.size


@pytest.mark.parametrize("name", ["wav 16 bit", "flac", "aac"])
def test_a_tag_before_other_formats_is_skipped(name: str) -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x7f\x00" + bytes(127 << 7)
    assert decode(tag + recording(name), max_seconds=60).duration == pytest.approx(SECONDS, abs=0.1)


def test_a_picture_in_the_file_is_no_hindrance(tmp_path: Path) -> None:
    picture = tmp_path / "with-picture.m4a"
    assert decode(with_video(picture, audio=True), max_seconds=60).duration == pytest.approx(1, abs=0.1)
    assert "no audio" in refusal(with_video(tmp_path / "silent.m4a", audio=False))


def with_video(path: Path, *, audio: bool) -> bytes:
    with av.open(path, "w", format="mp4") as out:
        video = out.add_stream("mpeg4", rate=10)
        assert isinstance(video, av.VideoStream)
        video.width = video.height = 64
        sound = out.add_stream("aac", rate=24000, layout="mono") if audio else None
        out.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")))
        out.mux(video.encode(None))
        if isinstance(sound, av.AudioStream):
            frame = av.AudioFrame.from_ndarray(tone(1, 24000)[np.newaxis], "fltp", "mono")
            frame.sample_rate = 24000
            out.mux([*sound.encode(frame), *sound.encode(None)])
    return path.read_bytes()


@pytest.mark.parametrize(
    "name", ["wav 16 bit", "mp3", "flac", "m4a", "aac", "ogg opus", "webm", "ogg vorbis"]
)
def test_a_recording_that_is_too_long_is_refused_with_the_limit(name: str) -> None:
    said = refusal(recording(name), max_seconds=3)
    assert "expected at most 3 s" in said
    assert "it lasts 4.0 s" in said or "it lasts more than 3 s" in said


def test_codec_padding_does_not_make_a_recording_too_long() -> None:
    assert decode(recording("aac"), max_seconds=SECONDS).duration > SECONDS


def test_a_small_file_of_many_hours_is_refused_after_little_work() -> None:
    encoder = open_encoder("flac", 48000)
    second = encoder.encode(np.zeros(48000 * 60, np.float32))
    hours = second + second[second.index(b"\xff\xf8") :] * 300
    encoder.close()
    before = psutil.Process().cpu_times().user
    assert "expected at most 60 s" in refusal(hours)
    # decoding five hours takes more than 20 s of CPU time; a minute of it a hundredth of that
    assert psutil.Process().cpu_times().user - before < 5


def wav_header(rate: int, channels: int, extra: bytes = b"") -> bytes:
    form = struct.pack(
        "<HHIIHH", 1, channels, rate, max(1, rate * channels * 2) % 2**32, 2 * channels % 2**16, 16
    )
    return b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", 16) + form + extra


@pytest.mark.parametrize(
    ("rate", "channels"), [(1, 1), (3999, 1), (2**31 - 1, 1), (0, 1), (24000, 0), (24000, 255)]
)
def test_absurd_rates_and_channels_are_refused(rate: int, channels: int) -> None:
    refusal(wav_header(rate, channels, b"data" + struct.pack("<I", 96000)) + bytes(96000))


def test_claims_of_gigabytes_are_refused_before_they_are_allocated() -> None:
    before = psutil.Process().memory_info().rss
    list_chunk = b"LIST" + struct.pack("<I", 0x3FFF_FFF0) + b"INFOISFT" + struct.pack("<I", 0x3FFF_FF00)
    assert "leads to no samples" in refusal(wav_header(24000, 1, list_chunk) + bytes(96000))
    data = bytearray(recording("m4a in fragments"))
    table = data.index(b"trun")
    data[table + 8 : table + 12] = struct.pack(">I", 150_000_000)
    assert "claims more than there is" in refusal(bytes(data))
    whole = bytearray(recording("m4a"))
    table = whole.index(b"stsz")
    whole[table + 8 : table + 16] = struct.pack(">II", 1, 150_000_000)
    assert "claims more than there is" in refusal(bytes(whole))
    assert psutil.Process().memory_info().rss - before < 50_000_000


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(draw: st.DataObject) -> None:
    data = bytearray(recording(draw.draw(st.sampled_from(sorted(FILES)))))
    for _ in range(draw.draw(st.integers(1, 4))):
        # most of what can go wrong is in the first and the last kilobyte
        near = draw.draw(st.sampled_from([64, 1024, max(1, len(data))]))
        at = draw.draw(st.integers(0, near - 1)) % max(1, len(data)) * draw.draw(st.sampled_from([1, -1]))
        new = draw.draw(st.binary(min_size=0, max_size=8))
        data[at : at + draw.draw(st.integers(0, 8)) if at >= 0 else None] = new
    try:
        decoded = decode(bytes(data), max_seconds=60)
    except InvalidRecording as refused:
        assert refused.param == "file"
    else:
        assert np.isfinite(decoded.samples).all()
        assert 0 < decoded.duration <= 60.2


@given(
    st.binary(max_size=300),
    st.sampled_from([b"RIFF\0\0\0\0WAVE", b"ID3", b"OggS", b"\xff\xfb\x90", b"\0\0\0\x20ftyp", b""]),
)
@settings(deadline=None)
def test_random_bytes_behind_a_true_beginning_are_refused(data: bytes, beginning: bytes) -> None:
    refusal(beginning + data)
