"""How much of an utterance's text has been heard: by its word times, or by a guess until there are any."""

from collections import deque
from collections.abc import Iterable

from june_tts.types import Line, WordTime

CHARS_PER_SECOND = 14.0
"""Of English at a usual pace; only for engines that tell no times."""
NEAR_CHARS = 200
"""How far ahead a word is looked for: what stands between may be spoken otherwise than it is written."""
LONGEST_WORD = 30
"""Characters that a guess may go on to the end of a word: some languages write no spaces."""


class Captions:
    """The caller's own text, told piece by piece; what was told is always a beginning of it."""

    def __init__(self, line: Line) -> None:
        self._text = line.text
        self._speed = line.speed
        self._found = 0
        self._shown = 0
        self._marks: deque[tuple[float, int]] = deque()
        self._timed = False

    def learn(self, words: Iterable[WordTime]) -> None:
        """Words of the chunk that comes next. One that is not in the text shows with the word after it."""
        for word in words:
            end = _end(self._text, word.text, self._found)
            if end is not None:
                self._found = end
                self._marks.append((word.start, end))
                self._timed = True

    def upto(self, seconds: float) -> str:
        """What is to be shown now, `seconds` into the utterance, and was not shown before."""
        offset = self._shown
        if not self._timed:
            offset = max(offset, self._guessed(seconds))
        while self._marks and self._marks[0][0] <= seconds:
            offset = max(offset, self._marks.popleft()[1])
        return self._show(offset)

    def rest(self) -> str:
        """All that was not shown: the utterance was heard to its end."""
        return self._show(len(self._text))

    def _show(self, offset: int) -> str:
        new, self._shown = self._text[self._shown : offset], offset
        return new

    def _guessed(self, seconds: float) -> int:
        about = min(len(self._text), int(seconds * CHARS_PER_SECOND * self._speed) + 1)
        word_end = (at for at in range(about, len(self._text)) if self._text[at].isspace())
        return min(next(word_end, len(self._text)), about + LONGEST_WORD, len(self._text))


def _end(text: str, word: str, start: int) -> int | None:
    """Where `word`, the next one spoken, ends in the text; None where it is not written there."""
    at = text.find(word, start, start + NEAR_CHARS + len(word)) if word else -1
    while at >= 0:
        end = at + len(word)
        # right after the last one, or a word of its own: "a" is not meant where "that" stands
        if not any(map(str.isalnum, text[start:at])) or _apart(text, at, end):
            return end
        at = text.find(word, at + 1, start + NEAR_CHARS + len(word))
    return None


def _apart(text: str, at: int, end: int) -> bool:
    return not text[at - 1 : at].isalnum() and not text[end : end + 1].isalnum()
