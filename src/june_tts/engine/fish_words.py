"""Which written words the turns of the Fish engine say, and when they are heard."""

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from dataclasses import replace

from june_tts.engine.timing import written_words
from june_tts.text.tokens import word_spans
from june_tts.types import Piece, WordTime, WrittenWord


class TurnWords:
    """Pieces go in, turns that are made of them in other cuts come out, each with its written words."""

    def __init__(self) -> None:
        self._words: deque[tuple[str, deque[str]]] = deque()
        """Written, and the spoken words that are left of it."""
        self._lost = False
        """A turn said something else than the pieces: from then on words are as they are spoken."""
        self._open = False
        """The last word goes on in the next piece."""

    async def of(self, pieces: AsyncIterable[Piece]) -> AsyncIterator[Piece]:
        """The same pieces."""
        async for piece in pieces:
            if not self._lost:
                self._add(piece)
            yield piece

    def _add(self, piece: Piece) -> None:
        spoken = _spoken(piece.text)
        for word in written_words(piece):
            said = deque(text for text, span in spoken if word.start <= span[0] < word.stop)
            if self._open and self._words:
                self._words[-1][1].extend(said)
            elif said:
                self._words.append((word.written, said))
            self._open = word.unfinished

    def turn(self, text: str) -> Piece:
        """The next turn, as a piece."""
        found: list[WrittenWord] = []
        for said, (start, stop) in _spoken(text):
            if self._lost or not self._words or self._words[0][1][0] != said:
                self._lost = True
                self._words.clear()
                return Piece(text)
            written, rest = self._words[0]
            rest.popleft()
            begun = bool(found) and found[-1].unfinished
            word = WrittenWord(written, found[-1].start if begun else start, stop, unfinished=bool(rest))
            found[-1:] = [word] if begun else [*found[-1:], word]
            if not rest:
                self._words.popleft()
        return Piece(text, words=tuple(found))


def _spoken(text: str) -> Sequence[tuple[str, tuple[int, int]]]:
    return [(text[start:stop], (start, stop)) for start, stop in word_spans(text)]


class Told:
    """Words on their way to the listener, who hears them at another tempo."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._words: deque[WordTime] = deque()

    def add(self, words: Sequence[WordTime]) -> None:
        """In seconds at speed 1."""
        self._words += [replace(w, start=w.start / self._speed, end=w.end / self._speed) for w in words]

    def heard(self, seconds: float, *, last: bool = False) -> Iterator[WordTime]:
        """Those that end in the audio sent so far. With `last` all: a change of tempo may lose samples."""
        while self._words and (last or self._words[0].end <= seconds):
            word = self._words.popleft()
            yield replace(word, start=min(word.start, seconds), end=min(word.end, seconds))
