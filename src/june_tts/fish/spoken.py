"""How long a text is when spoken, and where it may be cut. No torch.

For texts as they come. The server's own pieces know abbreviations, fit a turn and are never cut here.
"""

import math
import re
import unicodedata

SAMPLE_RATE, FRAME_SAMPLES = 44_100, 2048
FRAMES_PER_SECOND = SAMPLE_RATE / FRAME_SAMPLES
"""21.53: what the codec turns into sound."""
LETTERS_PER_SECOND = 15.0
"""English read aloud, blanks and punctuation counted."""
EDGES = 0.4
"""Seconds of silence before and after what is said."""
SYLLABLE = 3
"""A Han character, a kana or a Hangul syllable lasts as long as three Latin letters, a fifth of a second."""
DIGIT = 4
"""Is spoken as a word: "2026" has the 16 letters of "twenty twenty-six"."""
SHORTEST = 10
"""Letters: a cut that leaves less on either side sounds torn."""
LEAD = 8
"""Characters before the first word that may belong to it: a quote, a bracket, a dash."""

_SENTENCE_END = re.compile(r"""[.!?\u2026]+["')\]\u00bb\u201d\u2019]*(?=\s)|[。！？]+[」』）]*""")
_CLAUSE_END = re.compile(r"""[,;:\u2013\u2014]["')\]\u00bb\u201d\u2019]*(?=\s)|[，、；：]|\n""")
_BLANK = re.compile(r"\s+")
_BORDERS = (_SENTENCE_END, _CLAUSE_END, _BLANK)
_LONGEST_CLUSTER = 32
"""Accents on one letter at most, before it is torn all the same."""


def frames_for(text: str) -> int:
    """Frames that speaking the text takes at an ordinary pace. Slow speech takes twice as many."""
    return math.ceil((letters(text) / LETTERS_PER_SECOND + EDGES) * FRAMES_PER_SECOND)


def letters(text: str) -> int:
    """The text's length, counted in Latin letters of the same duration."""
    return sum(map(_letters, text))


def fits(text: str, limit: int) -> bool:
    """Whether it has at most `limit` letters; quick for any text."""
    return _within(text, limit) == len(text)


def from_speech(text: str) -> str:
    """The text from its first word on, with the signs right before it; empty where there is none."""
    at = next((at for at, character in enumerate(text) if character.isalnum()), None)
    return "" if at is None else text[max(0, at - LEAD) :]


def cut(text: str, limit: int) -> int:
    """Where to cut off at most `limit` letters: after a sentence, else a clause, else a word, else anywhere.
    The text's length where it fits. Never 0."""
    end = _end(text, limit)
    return end if end == len(text) else _best(text, end, _BORDERS) or _hard(text, end)


def natural_cut(text: str, limit: int) -> int:
    """As `cut`, but only where a speaker would pause: after a sentence or a clause. 0 where there is none."""
    end = _end(text, limit)
    return end if end == len(text) else _best(text, end, _BORDERS[:2])


def joined(first: str, second: str) -> str:
    """Two texts as one; scripts of wide characters have no blanks between sentences."""
    return first + ("" if not first or _wide(first[-1]) else " ") + second


def _letters(character: str) -> int:
    if character.isdecimal():
        return DIGIT
    return SYLLABLE if _wide(character) and character.isalpha() else 1


def _wide(character: str) -> bool:
    return character > "\u10ff" and unicodedata.east_asian_width(character) in "WF"


def _end(text: str, limit: int) -> int:
    """The last place for a cut, so that no stub is left behind it; the text's length where it fits."""
    end = _within(text, limit)
    stub = text[-SHORTEST - 1 :]
    return end if end == len(text) else max(1, min(end, len(text) - _within(stub[::-1], SHORTEST)))


def _within(text: str, limit: int) -> int:
    """Characters from the start that have at most `limit` letters together, but one at least."""
    for at, character in enumerate(text):
        limit -= _letters(character)
        if limit < 0:
            return max(1, at)
    return len(text)


def _best(text: str, end: int, borders: tuple[re.Pattern[str], ...]) -> int:
    window = text[: end + 1]  # one more, so that a border at `end` is seen with the blank after it
    for pattern in borders:
        found = max((at for match in pattern.finditer(window) if (at := match.end()) <= end), default=0)
        if not fits(text[:found], SHORTEST - 1):
            return found
    return 0


def _hard(text: str, end: int) -> int:
    """No accent is torn from its letter."""
    for at in range(end, max(0, end - _LONGEST_CLUSTER), -1):
        if unicodedata.category(text[at])[0] != "M" and "\u200d" not in text[at - 1 : at + 1]:
            return at
    return end
