"""Speech that was made once and heard several times: whether it is the same each time."""

from collections.abc import Sequence

import numpy as np

from june_tts.types import AudioChunk


def assert_same(times: Sequence[Sequence[AudioChunk]]) -> None:
    """The same words, of which there are some, and the same samples to 16 bits."""
    first = np.concatenate([chunk.samples for chunk in times[0]])
    words = [word for chunk in times[0] for word in chunk.words]
    assert words
    for again in times[1:]:
        assert [word for chunk in again for word in chunk.words] == words
        heard = np.concatenate([chunk.samples for chunk in again])
        np.testing.assert_allclose(heard, first, atol=0.6 / 32768)
