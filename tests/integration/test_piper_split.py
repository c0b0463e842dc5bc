"""A Piper voice in two halves gives the samples of the voice in one."""

from dataclasses import dataclass

import numpy as np
import pytest

from june_tts.engine.onnx import Run
from june_tts.engine.piper_split import Reach, Sessions, decode, measure, open_halves, split, stretches
from june_tts.models.embedded import joe
from june_tts.types import Samples

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Cut:
    sessions: Sessions
    feeds: tuple[str, ...]
    reach: Reach

    def whole(self, latent: Samples) -> Samples:
        sound: Samples = Run()(self.sessions.decoder, {self.feeds[0]: latent})[0].ravel()
        return sound

    def joined(self, latent: Samples, lengths: list[int], reach: Reach | None = None) -> Samples:
        parts = [
            decode(self.sessions.decoder, self.feeds, reach or self.reach, Run(), [latent], stretch)
            for stretch in stretches(latent.shape[2], iter(lengths))
        ]
        return np.concatenate(parts)


@pytest.fixture(scope="module", params=[1, 2], ids=["narrow", "wide"])
def cut(request: pytest.FixtureRequest) -> Cut:
    halves = split(joe().model)
    assert halves is not None
    sessions = open_halves(halves, threads=request.param)
    reach = measure(sessions, halves.feeds)
    assert reach is not None
    return Cut(sessions, halves.feeds, reach)


def latent(scale: float = 1.0) -> Samples:
    return scale * np.random.default_rng(1).standard_normal((1, 192, 150)).astype(np.float32)


@pytest.mark.parametrize("lengths", [[1] * 200, [7, 1, 30, 200], [40] * 10, [1000]])
def test_any_stretches_decode_to_the_samples_of_the_whole(cut: Cut, lengths: list[int]) -> None:
    joined = cut.joined(latent(), lengths)
    assert joined.size == 150 * cut.reach.hop
    # other matrix sizes add in another order; a sixth of one 16-bit step
    np.testing.assert_allclose(joined, cut.whole(latent()), atol=5e-6)


def test_less_overlap_than_measured_would_be_audible(cut: Cut) -> None:
    short = Reach(cut.reach.hop, cut.reach.frames - 4)
    difference = cut.joined(latent(3.0), [40] * 10, short) - cut.whole(latent(3.0))
    assert np.abs(difference).max() > 1e-4
