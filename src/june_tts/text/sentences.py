"""Where sentences and clauses end. Works on raw and on normalised text of any language."""

import re
from collections.abc import Iterator

_END = re.compile(
    r"(?<![.!?])[.!?]+[\"')\]*_\u201d\u2019\xbb]*(?=\s|$)|[\u3002\uff01\uff1f\uff0e]+[\u300d\u300f\uff09\"']*|[\u061f\u0964\u0965\u17d4\u104b\u1362\u0589]+"
)
_ABBREVIATIONS = frozenset(
    "dr mr mrs ms prof rev gen sen rep gov capt lt col sgt hon mt ft st no nos fig figs vol approx vs e.g "
    "i.e cf al hr fr nr bzw ca z.b d.h u.a vgl bd abs sog mme mlle sr sra srta dott sig avv dra art cap "
    "pag p pp".split()
)
_LETTER = re.compile(r"\s?[^\W\d_]\.")
_LAST_WORD = re.compile(r"[\w.]+$")
_CLAUSE = re.compile(r"(?<![,;:])[,;:\u2014\u2013]+[\"')\]]*(?=\s)|[\uff0c\u3001\uff1b\uff1a\u060c\u061b]+")
_CONJUNCTION = re.compile(
    r"\s(?=(?:and|but|or|because|so|while|when|if|though|although|until|unless|which|und|oder|aber|weil|dass|wenn|"
    r"et|mais|ou|parce|quand|pero|porque|cuando|perch\xe9)\s)"
)


def sentence_ends(text: str, start: int = 0) -> Iterator[int]:
    """Positions just after the punctuation that ends a sentence, left to right."""
    for found in _END.finditer(text, start):
        if not found[0].startswith(".") or not _abbreviated(text, found.start(), found.end()):
            yield found.end()


def clause_ends(text: str, start: int, end: int) -> Iterator[int]:
    """Positions just after a comma, colon, semicolon or dash."""
    return (found.end() for found in _CLAUSE.finditer(text, start, end))


def conjunctions(text: str, start: int, end: int) -> Iterator[int]:
    """Positions just before the space before a conjunction."""
    return (found.start() for found in _CONJUNCTION.finditer(text, start, end))


def _abbreviated(text: str, dot: int, end: int) -> bool:
    """Whether the full stop at `dot` belongs to a word rather than to a sentence."""
    if text.startswith("..", dot):
        following = text[end : end + 2].strip()
        return following[:1].islower()
    found = _LAST_WORD.search(text, max(0, dot - 12), dot)
    if not found or end >= len(text):
        return False
    word = found[0]
    if word.lower() in _ABBREVIATIONS:
        return True
    if word.isdigit():
        # "am 3. M\xe4rz" and list numbers; "it was 1999." is longer
        return len(word) <= 2
    if len(word) == 1 and _LETTER.match(text, end):
        return True  # "z. B.", "d. h."
    # initials: "J. K. Rowling", "U.S. Army"
    return (len(word) == 1 and word.isupper() and word != "I") or (len(word) <= 5 and word[-2:-1] == ".")
