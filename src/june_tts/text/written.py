"""Which of the caller's words a normalised text says: "9:30" for "nine thirty"."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from june_tts.text.tidy import has_speech
from june_tts.text.tokens import word_spans
from june_tts.types import WrittenWord

Say = Callable[[str], str]
"""A few words of the text as they are spoken."""

_SILENT = re.compile(r"[\W_]+")
_Tokens = Sequence[tuple[int, int]]


def written_words(text: str, spoken: str, say: Say) -> list[WrittenWord]:
    """The words of `text` that are in `spoken`, in order, with their places there.

    Words that read the same are found first; what lies between was rewritten. Where several were rewritten
    together and nothing tells them apart, they stay one entry, with spaces. A word that nobody wrote belongs
    to the one before it ("$5 million", "five million dollars"); what is not spoken is left out.
    """
    theirs, ours = word_spans(text), word_spans(spoken)
    found = _Aligned(text, spoken, say)
    if len(theirs) == len(ours) and all(map(found.same, theirs, ours)):
        return [found.entry([a], [b]) for a, b in zip(theirs, ours, strict=True)]
    matcher = SequenceMatcher(
        None, [found.folded(text, a) for a in theirs], [found.folded(spoken, b) for b in ours], autojunk=False
    )
    entries: list[WrittenWord] = []
    for kind, begin, end, first, last in matcher.get_opcodes():
        if kind == "equal":
            pairs = zip(theirs[begin:end], ours[first:last], strict=True)
            entries += [found.entry([a], [b]) for a, b in pairs]
        else:
            entries += found.rewritten(theirs[begin:end], ours[first:last])
    return list(_attributed(entries, spoken))


def _attributed(entries: Sequence[WrittenWord], spoken: str) -> Iterator[WrittenWord]:
    """Spoken words that nobody wrote are given to their neighbour."""
    held: WrittenWord | None = None
    for word in entries:
        if held is None:
            held = word
        elif not word.written:
            held = replace(held, stop=word.stop)
        elif not held.written:
            held = replace(word, start=held.start)
        else:
            yield held
            held = word
    if held is not None:
        yield held if held.written else replace(held, written=spoken[held.start : held.stop])


class _Aligned:
    def __init__(self, text: str, spoken: str, say: Say) -> None:
        self._text = text
        self._spoken = spoken
        self._say = say

    @staticmethod
    def folded(text: str, span: tuple[int, int]) -> str:
        word = text[span[0] : span[1]]
        return _SILENT.sub("", word).casefold() or word

    def same(self, theirs: tuple[int, int], ours: tuple[int, int]) -> bool:
        return self.folded(self._text, theirs) == self.folded(self._spoken, ours)

    def entry(self, theirs: _Tokens, ours: _Tokens) -> WrittenWord:
        words = " ".join(self._text[theirs[0][0] : theirs[-1][1]].split()) if theirs else ""
        return WrittenWord(words, ours[0][0], ours[-1][1])

    def rewritten(self, theirs: _Tokens, ours: _Tokens) -> Iterator[WrittenWord]:
        """Word by word from both ends, as far as each by itself is said as it is said here."""
        if len(theirs) > 1:
            while theirs and (size := self._begins(theirs[0], ours)):
                yield self.entry(theirs[:1], ours[:size])
                theirs, ours = theirs[1:], ours[size:]
        tail: list[WrittenWord] = []
        if len(theirs) > 1:
            while theirs and (size := self._ends(theirs[-1], ours)):
                tail.insert(0, self.entry(theirs[-1:], ours[-size:]))
                theirs, ours = theirs[:-1], ours[:-size]
        if ours:
            yield self.entry(theirs, ours)
        yield from tail

    def _begins(self, word: tuple[int, int], ours: _Tokens) -> int:
        """How many of these words say it; 0 where they do not begin with it."""
        said = self._said(word)
        return len(said) if said == [self.folded(self._spoken, each) for each in ours[: len(said)]] else 0

    def _ends(self, word: tuple[int, int], ours: _Tokens) -> int:
        said = self._said(word)
        tail = ours[-len(said) :] if said else ()
        return len(said) if said == [self.folded(self._spoken, each) for each in tail] else 0

    def _said(self, word: tuple[int, int]) -> list[str]:
        said = self._say(self._text[word[0] : word[1]])
        return [self.folded(said, span) for span in word_spans(said)]


class Carried:
    """Words on their way into pieces: counted in the characters of all text so far."""

    def __init__(self) -> None:
        self._words: list[WrittenWord] = []

    def add(self, words: Sequence[WrittenWord], offset: int) -> None:
        """More words; their text begins at `offset`."""
        self._words += [WrittenWord(w.written, w.start + offset, w.stop + offset) for w in words]

    def take(self, start: int, text: str) -> tuple[WrittenWord, ...]:
        """Those of a piece that begins at `start`; what was before it is dropped."""
        stop = start + len(text)
        taken: list[WrittenWord] = []
        while self._words and self._words[0].start < stop:
            word = self._words.pop(0)
            cut = stop - start
            if word.stop > stop and has_speech(text[max(0, word.start - start) :]):
                self._words.insert(0, WrittenWord(word.written, stop, word.stop))
                taken.append(WrittenWord(word.written, max(0, word.start - start), cut, unfinished=True))
                break
            if word.stop > start:
                taken.append(
                    WrittenWord(word.written, max(0, word.start - start), min(cut, word.stop - start))
                )
        return tuple(taken)
