"""Word times for an engine that knows none, from the text and the loudness of what was spoken.

A light aligner: words last as long as they have letters, and the pauses that are heard lie between words,
most of them at punctuation. How exact that is: docs/reference/timestamps.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from june_tts.engine.schedule import Mark
from june_tts.fish.spoken import letters
from june_tts.text.tokens import word_spans
from june_tts.types import Samples

FRAME_SECONDS = 0.01
ACTIVE_SHARE = 10 ** (-30 / 20)
"""Of the loud parts' level (the 95th percentile): frames below it are pauses."""
PAUSE_FRAMES = 8
"""Shorter silences are the closures of plosives."""
WORD_LETTERS = 1.0
"""Added to each word's letters: the shortest words last longer than their letters say."""
TOLERANCE_SECONDS = 0.2
"""How far a pause may be from where the letters put it, for a cost of 1."""
UNWRITTEN = 1.0
"""Cost of a pause between words without punctuation."""
UNHEARD = 1.0
"""Cost of punctuation without a pause."""
WITHIN_SECOND = 10.0
"""Cost of a pause within a word, for each second that it lasts."""
_PUNCTUATION = tuple(",.;:!?\u2014\u2026\u3002\uff0c\uff01\uff1f\uff1b\uff1a\u3001")


class Loudness:
    """The level of a turn of speech, every FRAME_SECONDS, as it comes."""

    def __init__(self, sample_rate: int) -> None:
        self.frame = round(FRAME_SECONDS * sample_rate)
        """Samples."""
        self._rest: Samples = np.zeros(0, np.float32)
        self._levels: list[NDArray[np.float32]] = []

    def feed(self, samples: Samples) -> None:
        run = np.concatenate((self._rest, samples))
        whole = run.size // self.frame * self.frame
        self._rest = run[whole:]
        self._levels.append(np.sqrt(np.mean(run[:whole].reshape(-1, self.frame) ** 2, axis=1)))

    def levels(self) -> NDArray[np.float32]:
        """Shape (frames,); the last few samples are left out."""
        return np.concatenate(self._levels) if self._levels else np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True)
class _Pause:
    start: int
    stop: int
    spoken: int
    """Frames with speech before it."""


def estimated(text: str, loudness: Loudness) -> list[Mark]:
    """When each word of a turn was spoken; empty where nothing was."""
    spans = word_spans(text)
    levels = loudness.levels()
    active = levels > ACTIVE_SHARE * np.percentile(levels, 95) if levels.size else np.zeros(0, bool)
    heard = np.flatnonzero(active)
    if not spans or not heard.size:
        return []
    first, last = int(heard[0]), int(heard[-1]) + 1
    pauses = _pauses(active, first, last)
    edges = _edges([text[a:b] for a, b in spans], pauses, first, last)
    return [
        Mark(span[0], start * loudness.frame, end * loudness.frame)
        for span, (start, end) in zip(spans, edges, strict=True)
    ]


def _pauses(active: NDArray[np.bool_], first: int, last: int) -> list[_Pause]:
    loud = np.flatnonzero(active[first:last]) + first
    gaps = np.flatnonzero(np.diff(loud) > PAUSE_FRAMES)
    found: list[_Pause] = []
    silent = 0
    for gap in gaps:
        start, stop = int(loud[gap]) + 1, int(loud[gap + 1])
        found.append(_Pause(start, stop, start - first - silent))
        silent += stop - start
    return found


def _edges(words: Sequence[str], pauses: Sequence[_Pause], first: int, last: int) -> list[tuple[int, int]]:
    """Frames in which each word starts and ends."""
    weights = np.array([letters(word) + WORD_LETTERS for word in words])
    spoken = last - first - sum(pause.stop - pause.start for pause in pauses)
    at = np.concatenate(([0.0], np.cumsum(weights))) / weights.sum() * spoken
    placed = _placed(words, at, pauses)
    edges: list[tuple[int, int]] = []
    # between two pauses that have a place, words share the time by their letters
    borders = [(0, first, first), *placed, (len(words), last, last)]
    for (begin, _, start), (end, stop, _) in zip(borders, borders[1:], strict=False):
        share = np.concatenate(([0.0], np.cumsum(weights[begin:end]))) / weights[begin:end].sum()
        points = np.rint(start + share * (stop - start)).astype(int)
        edges += [(int(a), int(b)) for a, b in zip(points, points[1:], strict=False)]
    return edges


def _placed(
    words: Sequence[str], at: NDArray[np.float64], pauses: Sequence[_Pause]
) -> list[tuple[int, int, int]]:
    """Pauses that lie between two words: the index of the word after, where the pause starts and stops.

    The cheapest way to give each pause a border of its own, in order, or none (then it is within a word).
    """
    marked = [word.endswith(_PUNCTUATION) for word in words[:-1]]
    borders = len(words) - 1
    # best[i][j]: pauses from i on, borders from j on; a walk from the end
    best = np.zeros((len(pauses) + 1, borders + 2))
    choice = np.zeros((len(pauses) + 1, borders + 2), dtype=int)
    for j in range(borders - 1, -1, -1):
        best[len(pauses)][j] = best[len(pauses)][j + 1] + UNHEARD * marked[j]
    for i in range(len(pauses) - 1, -1, -1):
        pause = pauses[i]
        inside = WITHIN_SECOND * (pause.stop - pause.start) * FRAME_SECONDS
        best[i][borders] = best[i + 1][borders] + inside
        best[i][borders + 1] = np.inf
        for j in range(borders - 1, -1, -1):
            away = abs(pause.spoken - at[j + 1]) * FRAME_SECONDS / TOLERANCE_SECONDS
            taken = away + UNWRITTEN * (not marked[j]) + best[i + 1][j + 1]
            left = best[i][j + 1] + UNHEARD * marked[j]
            within = best[i + 1][j] + inside
            options = (taken, left, within)
            choice[i][j] = int(np.argmin(options))
            best[i][j] = options[choice[i][j]]
    return _walk(choice, pauses, borders)


def _walk(choice: NDArray[np.int_], pauses: Sequence[_Pause], borders: int) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    i = j = 0
    while i < len(pauses) and j < borders:
        if choice[i][j] == 0:
            found.append((j + 1, pauses[i].start, pauses[i].stop))
            i, j = i + 1, j + 1
        elif choice[i][j] == 1:
            j += 1
        else:
            i += 1
    return found
