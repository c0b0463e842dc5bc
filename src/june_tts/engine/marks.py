"""When the words of a piece are spoken, from how long a model makes each phoneme."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from june_tts.engine.owners import NOBODY
from june_tts.engine.schedule import Mark
from june_tts.text.tokens import word_spans


class Marks:
    """One piece; its sentences come in order."""

    def __init__(self, text: str) -> None:
        self._begins = [start for start, _ in word_spans(text)]
        self._made = 0
        """Samples of the sentences before."""

    def of(self, words: Sequence[int], lengths: NDArray[np.float32]) -> list[Mark]:
        """The words of the next sentence.

        Args:
            words: for each phoneme number the index of its word in the piece, or NOBODY.
            lengths: of each number, in samples; together the sentence's.
        """
        ends = self._made + np.cumsum(np.rint(lengths).astype(np.int64))
        starts = np.concatenate(([self._made], ends[:-1]))
        self._made = int(ends[-1]) if ends.size else self._made
        return [
            Mark(self._begins[word], int(starts[first]), int(ends[last]))
            for word, first, last in _stretches(words)
        ]


def _stretches(words: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Each word with the first and the last of its places."""
    places: dict[int, tuple[int, int]] = {}
    for at, word in enumerate(words):
        if word != NOBODY:
            places[word] = (places.get(word, (at, at))[0], at)
    for word, (first, last) in sorted(places.items()):
        yield word, first, last
