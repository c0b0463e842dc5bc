"""The codec by itself, on a small file: chunks, batches, the attention's window, what it refuses."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bench.fish_codec_file import write_codec

from june_tts.errors import InvalidRequest
from june_tts.fish import codec as codec_module
from june_tts.fish.codec import Codec
from june_tts.fish.codec_stream import Stream
from june_tts.fish.sequence import Codes
from june_tts.types import Samples

pytestmark = pytest.mark.unit

FRAMES = 43
ROUNDING = 1e-6
"""Of full scale: other chunks are other matrix sizes, which add in another order."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_codec(tmp_path_factory.mktemp("codec") / "codec.pth", size="tiny", seed=3)


@pytest.fixture(scope="module")
def codec(path: Path) -> Codec:
    """Attention forgets after 8 positions, so that 43 frames go far beyond the window."""
    return Codec(path, windows=(16, 8))


def codes(frames: int, seed: int = 0) -> Codes:
    drawn = np.random.default_rng(seed).integers(0, 1024, (10, frames), dtype=np.int32)
    drawn[0] *= 4
    return drawn


def whole(codec: Codec, given: Codes) -> Samples:
    return codec.decode([codec.stream()], [given])[0]


def in_chunks(codec: Codec, given: Codes, sizes: list[int]) -> Samples:
    stream, parts, begin = codec.stream(), [], 0
    for size in sizes:
        parts.append(codec.decode([stream], [given[:, begin : begin + size]])[0])
        begin += size
    return np.concatenate(parts)


@pytest.mark.parametrize("size", [1, 3, 7, 20])
def test_a_stream_in_chunks_is_the_whole(codec: Codec, size: int) -> None:
    sizes = [min(size, FRAMES - begin) for begin in range(0, FRAMES, size)]
    expected = whole(codec, codes(FRAMES))
    assert expected.shape == (FRAMES * 2048,) and expected.dtype == np.float32
    assert 0.02 < np.sqrt(np.mean(expected**2)) < 0.5
    np.testing.assert_allclose(in_chunks(codec, codes(FRAMES), sizes), expected, atol=ROUNDING, rtol=0)


def test_a_stream_in_chunks_of_any_size_is_the_whole(codec: Codec) -> None:
    expected = whole(codec, codes(FRAMES))
    made = in_chunks(codec, codes(FRAMES), [2, 0, 1, 30, 5, 0, 5])
    np.testing.assert_allclose(made, expected, atol=ROUNDING, rtol=0)


@pytest.mark.parametrize("overhead", [0, 1000], ids=["each length a batch", "one padded batch"])
def test_streams_of_unequal_chunks_in_one_call_sound_as_each_alone(
    codec: Codec, monkeypatch: pytest.MonkeyPatch, overhead: int
) -> None:
    monkeypatch.setitem(codec_module.BATCH_OVERHEAD, "cpu", overhead)
    monkeypatch.setitem(codec_module.PASS_FRAMES, "cpu", 16)  # several passes within one call
    steps = [[5, 1, 0, 9], [1, 12, 3, 9], [20, 0, 4, 1], [1, 1, 1, 1]]
    lengths = [sum(step[row] for step in steps) for row in range(4)]
    given = [codes(length, seed) for seed, length in enumerate(lengths)]
    streams = [codec.stream() for _ in given]
    heard: list[list[Samples]] = [[] for _ in given]
    for step in steps:
        pieces = [g[:, s.frames : s.frames + n] for g, s, n in zip(given, streams, step, strict=True)]
        for row, samples in enumerate(codec.decode(streams, pieces)):
            assert len(samples) == step[row] * 2048
            heard[row].append(samples)
    for row, parts in enumerate(heard):
        np.testing.assert_allclose(np.concatenate(parts), whole(codec, given[row]), atol=ROUNDING, rtol=0)


def test_a_frame_beyond_the_window_is_forgotten_by_attention_alone(path: Path) -> None:
    """Three layers that see 8 frames reach 21 frames back; what the convolutions reach comes after that."""
    changed = codes(FRAMES)
    changed[:, 0] = (changed[:, 0] + 500) % 1024
    narrow, wide = Codec(path, windows=(16, 8)), Codec(path)
    last = slice(-4 * 2048, None)
    assert np.array_equal(whole(narrow, codes(FRAMES))[last], whole(narrow, changed)[last])
    assert not np.array_equal(whole(wide, codes(FRAMES))[last], whole(wide, changed)[last])


def test_no_frame_changes_what_was_heard_before_it(codec: Codec) -> None:
    changed = codes(FRAMES)
    changed[:, 30] = (changed[:, 30] + 500) % 1024
    before, after = whole(codec, codes(FRAMES)), whole(codec, changed)
    assert np.flatnonzero(before != after)[0] == 30 * 2048


def test_positions_beyond_the_published_tables_go_on_as_before(path: Path) -> None:
    far = Codec(path, windows=(16, 8))
    stream = Stream(far.stream().history, frames=4090)
    sizes, given = [3, 9, 8], codes(20)
    parts = []
    for begin, size in zip([0, 3, 12], sizes, strict=True):
        parts.append(far.decode([stream], [given[:, begin : begin + size]])[0])
    alone = far.decode([Stream(far.stream().history, frames=4090)], [given])[0]
    np.testing.assert_allclose(np.concatenate(parts), alone, atol=ROUNDING, rtol=0)


def test_a_copy_of_a_stream_is_a_snapshot(codec: Codec) -> None:
    stream = codec.stream()
    codec.decode([stream], [codes(5)])
    snapshot = copy.copy(stream)
    first = codec.decode([stream], [codes(3, seed=1)])[0]
    codec.decode([stream], [codes(3, seed=2)])
    assert np.array_equal(codec.decode([snapshot], [codes(3, seed=1)])[0], first)


def test_codes_beyond_a_codebook_are_its_last(codec: Codec) -> None:
    high, last = codes(4), codes(4)
    high[0, 1], high[3, 2] = 5000, 4095
    last[0, 1], last[3, 2] = 4095, 1023
    assert np.array_equal(whole(codec, high), whole(codec, last))
    assert high[3, 2] == 4095, "the caller's array is not written to"


def test_bfloat16_sounds_nearly_the_same(path: Path, codec: Codec) -> None:
    """A hundredth of the signal's power is 20 dB; half the digits of float32 leave some 30."""
    exact = whole(codec, codes(FRAMES))
    rounded = whole(Codec(path, dtype=torch.bfloat16, windows=(16, 8)), codes(FRAMES))
    assert 0 < np.mean((rounded - exact) ** 2) < 0.01 * np.mean(exact**2)


@pytest.mark.parametrize("frames", [1, 31, 32, 65])
def test_a_recording_of_any_length_is_encoded_as_if_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, frames: int
) -> None:
    codec = Codec(path, windows=(16, 8))
    sound = np.random.default_rng(5).standard_normal(frames * 2048 - 700).astype(np.float32) * 0.1
    stretched = codec.encode(sound)
    monkeypatch.setattr("june_tts.fish.codec_encoder.STRETCH", 1000)
    assert np.array_equal(stretched, codec.encode(sound))
    assert stretched.shape == (10, frames) and stretched.dtype == np.int32
    assert stretched.min() >= 0 and stretched[0].max() < 4096 and stretched[1:].max() < 1024


def test_a_batch_that_is_refused_moves_no_stream(codec: Codec) -> None:
    streams = [codec.stream(), codec.stream()]
    with pytest.raises(InvalidRequest):
        codec.decode(streams, [codes(3), codes(3)[:4]])
    assert [stream.frames for stream in streams] == [0, 0]
    assert not any(stream.history.any() for stream in streams)


def test_codes_of_another_kind_are_refused_with_what_was_expected(codec: Codec) -> None:
    negative = codes(2)
    negative[4, 1] = -1
    floats: Any = codes(2).astype(np.float32)
    for given, words in (
        (codes(2)[:9], r"shape \(9, 2\), expected \(10, frames\)"),
        (floats, "float32, expected integers"),
        (negative, "a code is -1, expected at least 0"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            whole(codec, given)


def test_each_stream_occurs_once_and_has_its_codes(codec: Codec) -> None:
    stream = codec.stream()
    for streams, pieces in (([stream, stream], [codes(1), codes(1)]), ([stream], [])):
        with pytest.raises(InvalidRequest, match="expected one for each"):
            codec.decode(streams, pieces)
    assert codec.decode([], []) == []


def test_what_is_no_recording_is_refused(codec: Codec) -> None:
    for samples, words in (
        (np.zeros(0, np.float32), "n above 0"),
        (np.zeros((2, 100), np.float32), r"shape \(2, 100\)"),
        (np.array([0, np.nan], np.float32), "NaN"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            codec.encode(samples)
