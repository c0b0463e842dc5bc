"""The codec against fish-speech 0.1.0: at full size, and with a short window that its sound outlives."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bench.fish_codec_file import write_codec
from numpy.typing import NDArray
from tests.fish_codec_reference import ReferenceCodec

from june_tts.fish.codec import Codec
from june_tts.fish.sequence import Codes

pytestmark = pytest.mark.integration

FRAMES = 24
SAMPLES = 1e-4
"""Of full scale, what is promised of float32."""
ROUNDING = 2e-6
"""Between one chunking and another."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = write_codec(tmp_path_factory.mktemp("codec") / "codec.pth", size="full", seed=1)
    yield path
    path.unlink()  # 1.6 GB, and pytest keeps the folders of three runs


@pytest.fixture(scope="module")
def reference(path: Path) -> ReferenceCodec:
    return ReferenceCodec(path)


@pytest.fixture(scope="module")
def codec(path: Path) -> Codec:
    return Codec(path)


@pytest.fixture(scope="module")
def expected(reference: ReferenceCodec) -> NDArray[np.float32]:
    return reference.decode(codes(FRAMES))


def codes(frames: int, seed: int = 0) -> Codes:
    drawn = np.random.default_rng(seed).integers(0, 1024, (10, frames), dtype=np.int32)
    drawn[0] *= 4
    return drawn


def recording(samples: int) -> NDArray[np.float32]:
    """A tone that rises through noise."""
    time = np.arange(samples) / 44_100
    noise = np.random.default_rng(2).standard_normal(samples)
    return (0.2 * np.sin(2 * np.pi * (150 + 900 * time) * time) + 0.05 * noise).astype(np.float32)


def test_samples_are_the_references_at_full_size(codec: Codec, expected: NDArray[np.float32]) -> None:
    made = codec.decode([codec.stream()], [codes(FRAMES)])[0]
    assert np.sqrt(np.mean(expected**2)) > 0.03
    np.testing.assert_allclose(made, expected, atol=SAMPLES, rtol=0)


@pytest.mark.parametrize("size", [1, 3, 7, 20])
def test_streams_are_the_reference_at_full_size(
    codec: Codec, expected: NDArray[np.float32], size: int
) -> None:
    whole = codec.decode([codec.stream()], [codes(FRAMES)])[0]
    stream, given = codec.stream(), codes(FRAMES)
    parts = [codec.decode([stream], [given[:, at : at + size]])[0] for at in range(0, FRAMES, size)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=ROUNDING, rtol=0)
    np.testing.assert_allclose(np.concatenate(parts), expected, atol=SAMPLES, rtol=0)


def test_codes_are_the_references_at_full_size(codec: Codec, reference: ReferenceCodec) -> None:
    sound = recording(35 * 2048 - 300)
    made, wanted = codec.encode(sound), reference.encode(sound)
    assert len(np.unique(wanted[0])) > 5
    assert np.array_equal(made, wanted)


def test_both_ways_are_the_references_where_attention_forgets(tmp_path: Path) -> None:
    path = write_codec(tmp_path / "codec.pth", size="tiny", seed=4)
    windows = (24, 7)
    codec, reference = Codec(path, windows=windows), ReferenceCodec(path, "tiny", windows)
    given, stream = codes(60), codec.stream()
    parts = [codec.decode([stream], [given[:, at : at + 9]])[0] for at in range(0, 60, 9)]
    np.testing.assert_allclose(np.concatenate(parts), reference.decode(given), atol=SAMPLES, rtol=0)
    sound = recording(60 * 2048)
    assert np.array_equal(codec.encode(sound), reference.encode(sound))
    assert not np.array_equal(Codec(path).encode(sound), reference.encode(sound))
