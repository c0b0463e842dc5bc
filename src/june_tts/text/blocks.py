"""Raw text in blocks of bounded size, cut where it does not hurt, read only as far as asked for."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from june_tts.text.sentences import clause_ends, sentence_ends
from june_tts.text.tidy import next_sound

Border = Literal["paragraph", "line", "sentence", "clause", "space", "hard", "end"]

FIRST = 160
"""Characters of the first block: enough for one sentence, little enough for a quick first piece."""
LATER = 320
_SHORTEST = 0.3
"""Share of a block that a border must leave, or blocks would become many and tiny."""
_LONGEST_CLUSTER = 32
_BEFORE_SOUND = 32
"""Characters before a word that may belong to it: a sign, a quote, a list mark."""

_PARAGRAPH = re.compile(r"(?<!\n)\n[ \t\r]*\n\s*")
_BLANK_LINE = re.compile(r"[ \t\r]*\n[ \t\r]*\n\s*")
_LINE = re.compile(r"(?<!\s)\s*\n\s*(?=\S)")
# two plain words: nothing that a rule would want to see together
_BETWEEN_WORDS = re.compile(r"(?<=[^\W\d_]{3}|[^\W\d_][^\W\d_][,;:])\s+(?=[^\W\d_]{3})")
_SPACE = re.compile(r"(?<!\s)\s+")


@dataclass(frozen=True, slots=True)
class Block:
    text: str
    border: Border
    """What it ends at."""
    within_line: bool = False
    """It begins in the middle of a line, where no sign marks a list or a heading."""


def blocks(text: str) -> Iterator[Block]:
    """The text in order; long stretches without any sound are left out."""
    start, size = 0, FIRST
    while start + size < len(text):
        heard = next_sound(text, start) - _BEFORE_SOUND
        if heard > start + size:
            # a chapter of emoji must not hold up the event loop
            yield Block("", "paragraph" if text.find("\n", start, heard) >= 0 else "space")
            start = heard
            continue
        stop, following, border = cut_at(text, start, size)
        yield Block(text[start:stop], border)
        start, size = following, LATER
    yield Block(text[start:], "end")


def cut_at(text: str, start: int, size: int) -> tuple[int, int, Border]:
    """Where a stretch of up to `size` characters ends, where the next one begins, and what is between."""
    if start + size >= len(text):
        return len(text), len(text), "end"
    cut, border = last_border(text[start : start + size])
    if not cut:
        cut, border = hard_cut(text[start : start + size + 1], size), "hard"
    # the window may have ended within the blank lines
    gap = _BLANK_LINE.match(text, start + cut)
    return (start + cut, gap.end(), "paragraph") if gap else (start + cut, start + cut, border)


def last_border(window: str) -> tuple[int, Border]:
    """The last border of the best kind in the window, 0 where there is none."""
    least = int(len(window) * _SHORTEST)
    if cut := _last(_PARAGRAPH, window, least):
        return cut, "paragraph"
    if cut := _last_of(sentence_ends(window, least), window):
        return cut, "sentence"
    if cut := _last(_LINE, window, least):
        return cut, "line"
    if cut := _last(_BETWEEN_WORDS, window, least):
        return cut, "space"
    if cut := _last_of(clause_ends(window, least, len(window)), window):
        return cut, "clause"
    return _last(_SPACE, window, least), "space"


def _last(pattern: re.Pattern[str], window: str, least: int) -> int:
    return _last_of((found.end() for found in pattern.finditer(window, least)), window)


def _last_of(positions: Iterator[int], window: str) -> int:
    # at the window's end nobody knows what follows
    return max((at for at in positions if at < len(window)), default=0)


def hard_cut(text: str, at: int) -> int:
    """At or just before `at`, where no accent or joined sign is torn from its letter. Never 0."""
    cut = at
    while cut > max(1, at - _LONGEST_CLUSTER) and _joined(text, cut):
        cut -= 1
    return at if _joined(text, cut) else cut


def _joined(text: str, at: int) -> bool:
    if at >= len(text):
        return False
    return unicodedata.category(text[at])[0] == "M" or "\u200d" in text[at - 1 : at + 1]
