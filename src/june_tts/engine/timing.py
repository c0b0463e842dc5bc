"""Word times of an utterance: when pieces' words are made, to when written words are heard."""

from collections.abc import Iterator, Sequence

from june_tts.audio.seams import Seams
from june_tts.engine.schedule import Mark
from june_tts.text.tokens import word_spans
from june_tts.types import Piece, WordTime, WrittenWord


def written_words(piece: Piece) -> Sequence[WrittenWord]:
    """The piece's words as they were written; as they are spoken where that is all that is known."""
    if piece.words:
        return piece.words
    return [WrittenWord(piece.text[start:stop], start, stop) for start, stop in word_spans(piece.text)]


class Wholes:
    """Puts a word together again whose rest is in the next piece."""

    def __init__(self) -> None:
        self._begun: tuple[str, float] | None = None

    def drop(self) -> None:
        """The rest of a word had no sound."""
        self._begun = None

    def take(self, word: WrittenWord, start: float, end: float) -> Iterator[WordTime]:
        """One stretch of a word, in seconds, to the word where it is whole."""
        written, start = self._begun or (word.written, start)
        self._begun = (written, start) if word.unfinished else None
        if not word.unfinished:
            yield WordTime(written, start, end)


class Timing:
    """One utterance. `begin` a piece, then ask after each of its stretches what has been heard."""

    def __init__(self, seams: Seams, sample_rate: int) -> None:
        self._seams = seams
        self._rate = sample_rate
        self._words: Sequence[WrittenWord] = ()
        self._marks: Sequence[Mark] = ()
        self._next = 0
        """Of the piece's words, the first that has not been heard to its end."""
        self._taken = 0
        """Marks of the words before it."""
        self._end = 0
        """Samples, where the last word ended."""
        self._wholes = Wholes()
        self._ended: list[WordTime] = []
        """Of a piece that is over."""

    def begin(self, piece: Piece, marks: Sequence[Mark]) -> None:
        """The next piece; `marks` may grow while it is spoken."""
        if self._next < len(self._words):
            self._wholes.drop()
        self._words, self._marks = written_words(piece), marks
        self._next = self._taken = 0

    def end(self) -> None:
        """The piece is over: nothing of it comes later."""
        self._ended += self._heard(over=True)

    def heard(self) -> tuple[WordTime, ...]:
        """The words whose end has been given since the last call."""
        ended, self._ended = self._ended, []
        return (*ended, *self._heard(over=False))

    def _heard(self, *, over: bool) -> Iterator[WordTime]:
        while self._next < len(self._words):
            word = self._words[self._next]
            stop = self._taken
            while stop < len(self._marks) and self._marks[stop].at < word.stop:
                stop += 1
            # only a mark of a later word tells that this one has no more
            if not self._marks or (stop == len(self._marks) and not over):
                return
            span = self._span(self._marks[self._taken : stop])
            if span is None:
                return
            self._next, self._taken = self._next + 1, stop
            start, self._end = span
            yield from self._wholes.take(word, start / self._rate, self._end / self._rate)

    def _span(self, marks: Sequence[Mark]) -> tuple[int, int] | None:
        """Where a word is heard; None while its end has not been given."""
        if not marks:
            return self._end, self._end
        start = self._seams.heard_at(marks[0].start, onset=True)
        end = self._seams.heard_at(marks[-1].end)
        if start is None or end is None:
            return None
        start = max(start, self._end)
        return start, max(start, end)
