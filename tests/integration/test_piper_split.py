"""A Piper voice in two halves gives the samples of the voice in one."""

import numpy as np
import pytest

from june_tts.engine.onnx import Run
from june_tts.engine.piper_split import Halves, decode, split
from june_tts.models.embedded import joe

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def halves() -> Halves:
    found = split(joe().model, threads=2)
    assert found is not None
    return found


@pytest.mark.parametrize("stretches", [[1] * 200, [7, 1, 30, 200], [40] * 10, [1000]])
def test_any_stretches_decode_to_the_samples_of_the_whole(halves: Halves, stretches: list[int]) -> None:
    latent = np.random.default_rng(1).standard_normal((1, 192, 150)).astype(np.float32)
    whole = Run()(halves.decoder, {halves.feeds[0]: latent})[0].ravel()
    parts = list(decode(halves, Run(), [latent], iter(stretches)))
    joined = np.concatenate(parts)
    assert joined.size == whole.size == 150 * halves.hop
    # other matrix sizes add in another order; 1e-4 is a fifth of one 16-bit step
    np.testing.assert_allclose(joined, whole, atol=1e-4 / 20)


def test_one_frame_less_of_overlap_than_measured_would_be_audible(halves: Halves) -> None:
    latent = 3 * np.random.default_rng(1).standard_normal((1, 192, 150)).astype(np.float32)
    whole = Run()(halves.decoder, {halves.feeds[0]: latent})[0].ravel()
    short = Halves(halves.encoder, halves.decoder, halves.feeds, halves.hop, halves.reach - 4)
    joined = np.concatenate(list(decode(short, Run(), [latent], iter([40] * 10))))
    assert np.abs(joined - whole).max() > 1e-4
