"""Where a text that is still being written may be cut: only where nothing that follows could change that.

A border is decided by a few characters after it. While they are missing it is undecided, and so is
everything behind it: the same text is cut at the same places however it arrives.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from june_tts.text.blocks import LATER, Border, hard_cut, last_border
from june_tts.text.sentences import clause_ends, conjunctions, sentence_ends
from june_tts.text.split import LONG, SHORTEST_CUT
from june_tts.text.tidy import has_speech

LOOK_AHEAD = 8
"""Characters after a border that may decide it; a heading's mark has most, six signs and a blank."""

_BREAK = re.compile(r"[ \t\r]*\n")
_HEADING = re.compile(r"(?:^|\n)[ ]{0,3}#{1,6}[ ][^\n]*\n\Z")
_MARK = re.compile(r"[-*+\u2022][ ]|\d{1,3}[.)][ ]|#{1,6}[ ]|[>|]|`{3}|~{3}")
_MARK_BEGUN = re.compile(r"(?:[-*+\u2022]|\d{1,3}[.)]?|#{1,6}|`{1,2}|~{1,2})\Z")
# "5," may be in the middle of a date, and "e.g.," of anything
_WORD_BEFORE = re.compile(
    r"[^\W\d_]{2}[\"')\]*_]*\s?[,;:\u2014\u2013\uff0c\u3001\uff1b\uff1a\u060c\u061b]+[\"')\]]*\Z"
)
_ONE_LETTER = re.compile(r"(?:^|[^\w.])[^\W\d_]\.\Z")
_OPEN_LINK = re.compile(r"\[[^\[\]\n]*\Z|\]\([^()\s]*\Z|<[A-Za-z/!][^<>\n]*\Z")
_OPENING = "\"'(\u201c\u2018\xab"


@dataclass(frozen=True, slots=True)
class Cut:
    at: int
    border: Border


@dataclass(frozen=True, slots=True)
class Lengths:
    """What a piece is long enough for, in characters."""

    clause: int
    """To end at a clause."""
    sentence: int
    """To end at a sentence or a line."""
    soon: int
    """To end before a conjunction, where nothing else ends it; LATER: never."""


def next_cut(text: str, lengths: Lengths) -> Cut | None:
    """The first cut of a text; None where it is too short or undecided."""
    for size in sorted({min(int(LONG * lengths.soon), LATER), LATER}):
        window = text[: size + LOOK_AHEAD]
        if cut := _first(window, lengths):
            return cut
        if len(text) < size + LOOK_AHEAD:
            return None
        if cut := _forced(window, size):
            return cut
    return None


def _first(text: str, lengths: Lengths) -> Cut | None:
    least = {"clause": lengths.clause, "sentence": lengths.sentence}
    for at, border in _borders(text):
        allowed = _allowed(text, at, border)
        if allowed is None:
            return None
        if allowed and len(text[:at].strip()) >= least.get(border, lengths.sentence):
            return Cut(at, _ended(text, at, border))
    return None


def _forced(window: str, size: int) -> Cut | None:
    """Somewhere up to `size`, as it must not become longer."""
    if size == LATER:
        at, border = last_border(window[:size])
        return Cut(at, border) if at else Cut(hard_cut(window, size), "hard")
    if cut := _first(window, Lengths(size, 1, size)):
        return cut if has_speech(window[: cut.at]) else None
    found = [at for at in conjunctions(window, SHORTEST_CUT, size) if not _OPEN_LINK.search(window, 0, at)]
    return Cut(found[-1], "space") if found else None


def _borders(text: str) -> list[tuple[int, Border]]:
    found: Iterator[tuple[int, Border]] = chain(
        ((at, "sentence") for at in sentence_ends(text)),
        ((at, "clause") for at in clause_ends(text, 0, len(text))),
        ((broken.end(), "line") for broken in _BREAK.finditer(text)),
    )
    return sorted(found)


def _allowed(text: str, at: int, border: Border) -> bool | None:
    """None while it is undecided."""
    if at == len(text):
        return None
    after = len(text) - len(text[at:].lstrip())
    blank_line = len(_BREAK.findall(text, at, after)) > (border != "line")
    if after == len(text) and not blank_line:
        return None
    if border == "line":
        return blank_line or _line_ends(text, at, after)
    if _OPEN_LINK.search(text, 0, at):
        return False
    return _clause_ends(text, at, after) if border == "clause" else _sentence_ends(text, at, after)


def _sentence_ends(text: str, at: int, after: int) -> bool | None:
    if after in (at, len(text)):
        return True  # a sign that needs no blank after it, or a blank line
    if _ONE_LETTER.search(text, 0, at) and len(text) < at + 3:
        return None  # the next one may be a single letter too: "z. B."
    return not text[after].islower()


def _clause_ends(text: str, at: int, after: int) -> bool:
    if after == len(text) or not _WORD_BEFORE.search(text, max(0, at - 2 * LOOK_AHEAD), at):
        return False
    return text[after].isalpha() or text[after] in _OPENING


def _line_ends(text: str, at: int, after: int) -> bool | None:
    """Not where a line was merely wrapped."""
    if _HEADING.search(text, 0, at):
        return True
    head = text[after : after + LOOK_AHEAD]
    if _MARK_BEGUN.match(head) and len(head) < LOOK_AHEAD:
        return None
    return bool(_MARK.match(head))


def _ended(text: str, at: int, border: Border) -> Border:
    """A blank line behind it makes it a paragraph's end."""
    blanks = text[at : len(text) - len(text[at:].lstrip())]
    return "paragraph" if blanks.count("\n") > (border != "line") else border
