"""A text that is still being written: words come in arbitrary cuts, pieces to speak go out. No I/O."""

from collections.abc import Iterator
from dataclasses import replace

from june_tts.text.blocks import LATER, Block, Border
from june_tts.text.borders import Cut, Lengths, next_cut
from june_tts.text.speech import Wording, in_words
from june_tts.text.split import Splitter
from june_tts.types import Pause, Piece

FIRST_CLAUSE, SECOND_CLAUSE, LATER_CLAUSE = 12, 40, 100
"""Least characters of the first pieces where they end at a clause. The first one is short, so that there is
sound soon; each lasts while the next one is written; long ones sound best."""
SENTENCE = 12
"""Least characters where a sentence ends: a shorter one is spoken together with the next."""

_PAUSES: dict[Border, Pause] = {"clause": "clause", "space": "none", "hard": "none", "paragraph": "paragraph"}


class Growing:
    """One text. `feed` what was written, then take what is `ready`, which is lazy, as `speakable` is.

    The same text gives the same pieces in whatever cuts it is fed. It holds back a few hundred characters at
    most, and the characters after a border that may decide whether it is one.
    """

    def __init__(self, language: str, *, first_chars: int, piece_chars: int, normalize: bool = True) -> None:
        """
        Args:
            language: BCP 47 tag.
            first_chars: longest first piece, where there is a border to cut at.
            piece_chars: longest piece.
            normalize: False: the text is cut, but not put into words.
        """
        self._language = language
        self._first = first_chars
        self._longest = piece_chars
        self._normalize = normalize
        self._held = ""
        self._within_line = False
        """What is held is not the beginning of a line: a "- " there is no list."""
        self._count = 0

    @property
    def waiting(self) -> int:
        """Characters that were fed and are in no piece yet, without blanks around them."""
        return len(self._held.strip())

    def feed(self, text: str) -> None:
        """Append what was written; words and numbers may be cut anywhere."""
        self._held += text

    def ready(self, flush: bool = False) -> Iterator[Piece]:
        """The pieces whose end is known; with `flush` everything that is there."""
        while self._held:
            cut = next_cut(self._held, self._lengths())
            if cut is None:
                break
            yield from self._pieces(cut)
        if flush and self._held:
            yield from self._pieces(Cut(len(self._held), "end"))

    def restart(self) -> None:
        """The next piece is short, as the first one was: nothing is heard now."""
        self._count = 0

    def _lengths(self) -> Lengths:
        if self._count == 0:
            return Lengths(FIRST_CLAUSE, SENTENCE, self._first)
        return Lengths(SECOND_CLAUSE if self._count == 1 else LATER_CLAUSE, SENTENCE, LATER)

    def _pieces(self, cut: Cut) -> Iterator[Piece]:
        text, self._held = self._held[: cut.at], self._held[cut.at :]
        # a line that ends a piece is a list item or a heading, and is closed like a paragraph
        ended: Border = "paragraph" if cut.border == "line" else cut.border
        block = Block(text, ended, within_line=self._within_line)
        self._within_line = not text.endswith("\n")
        splitter = Splitter(self._longest if self._count else self._first, self._longest)
        wording = in_words(block, self._language) if self._normalize else Wording(" ".join(text.split()))
        splitter.feed(wording.text, wording.words)
        pieces = list(splitter.ready(final=True))
        self._count += bool(pieces)
        yield from pieces[:-1]
        if pieces:
            yield replace(pieces[-1], pause=_PAUSES.get(cut.border, "sentence"))
