"""Normalised text in, pieces out, as soon as their end is known. The first one is short."""

from collections.abc import Callable, Iterator, Sequence

from june_tts.text.blocks import hard_cut
from june_tts.text.sentences import clause_ends, conjunctions, sentence_ends
from june_tts.text.tidy import has_speech
from june_tts.text.written import Carried
from june_tts.types import Pause, Piece, WrittenWord

SHORTEST_CUT = 10
"""No cut inside a sentence leaves fewer characters on either side: fragments sound torn."""
SHORT_SENTENCE = 12
"""A sentence shorter than this is spoken together with the next one where both fit."""
LONG = 1.5
"""A first sentence of up to this many times `first_chars` is not cut where no punctuation allows it."""

_Borders = Callable[[str, int, int], Iterator[int]]


class Splitter:
    """One utterance. `feed` what is known of the text, then take the pieces that are `ready`."""

    def __init__(self, first_chars: int, piece_chars: int) -> None:
        self._limit = piece_chars
        self._first = min(first_chars, piece_chars)
        self._rest = ""
        self._begin = 0
        """Characters before the rest."""
        self._words = Carried()
        self._started = False

    def feed(self, text: str, words: Sequence[WrittenWord] = ()) -> None:
        """Append text that ends with what separates it from the next: a blank, a newline or nothing.

        Args:
            words: of what was written, with their places in this text.
        """
        self._words.add(words, self._begin + len(self._rest))
        self._rest += text

    def ready(self, final: bool = False) -> Iterator[Piece]:
        """The pieces whose end is known; with `final` everything that is left."""
        while self._rest:
            cut, pause = self._next(final)
            if not cut:
                return
            begin, end = self._begin, self._begin + len(self._rest)
            text, self._rest = self._rest[:cut], self._rest[cut:].lstrip(" ")
            begin += len(text) - len(text.lstrip())
            text = text.strip()
            if self._rest.startswith("\n"):
                self._rest = self._rest.lstrip()
                pause = "paragraph"
            self._begin = end - len(self._rest)
            if has_speech(text):
                self._started = True
                yield Piece(text, pause, self._words.take(begin, text))

    def _next(self, final: bool) -> tuple[int, Pause]:
        line, newline, _ = self._rest.partition("\n")
        whole = bool(newline) or final
        end = self._sentence(line, whole)
        sentence = line[: end or len(line)]
        if not self._started and len(sentence) > self._first:
            cut, pause = self._first_cut(sentence)
            if cut:
                return cut, pause
        if len(sentence) > self._limit:
            return best_cut(sentence, self._limit)
        return end, "sentence"

    def _sentence(self, line: str, whole: bool) -> int:
        """Where the first sentence ends, a short one together with the next; 0 while nobody knows."""
        limit = self._limit if self._started else self._first
        end = 0
        for at in sentence_ends(line):
            if end and at > limit:
                break
            if at == len(line) and not whole:
                return 0
            end = at
            if end >= SHORT_SENTENCE:
                return end
        if whole:
            return end or len(line)
        # the next sentence may still turn out to fit beside a short one
        return end if len(line) > limit else 0

    def _first_cut(
        self,
        sentence: str,
    ) -> tuple[int, Pause]:
        last = len(sentence) - SHORTEST_CUT
        near = min(self._first, last)
        if cut := _last(clause_ends, sentence, near):
            return cut, "clause"
        # rather a longer first piece than a cut in the middle of a phrase
        if len(sentence) <= LONG * self._first:
            return 0, "none"
        if cut := _last(conjunctions, sentence, near):
            return cut, "none"
        far = min(self._limit, last)
        found = [(cut, pause) for borders, pause in _KINDS for cut in borders(sentence, near, far)]
        return min(found, default=(0, "none"))


def best_cut(sentence: str, limit: int) -> tuple[int, Pause]:
    """Where to cut a sentence that is longer than `limit`: clause, conjunction, space, anywhere."""
    near = min(limit, len(sentence) - SHORTEST_CUT)
    least = max(SHORTEST_CUT, limit // 4)
    for borders, pause in _KINDS:
        cut = _last(borders, sentence, near)
        if cut >= least:
            return cut, pause
    space = sentence.rfind(" ", 1, limit + 1)
    return (space if space > 0 else hard_cut(sentence, limit)), "none"


def _last(borders: _Borders, sentence: str, end: int) -> int:
    # one more character, so that a border at `end` is seen with the blank after it
    return max(
        (cut for cut in borders(sentence, SHORTEST_CUT - 1, end + 1) if SHORTEST_CUT <= cut <= end), default=0
    )


_KINDS: tuple[tuple[_Borders, Pause], ...] = ((clause_ends, "clause"), (conjunctions, "none"))
