"""Abbreviations in English, and the full stop that may also end a sentence: `Dr. Smith`, `Elm Dr.`."""

import re
from functools import partial

from june_tts.text.rules import DIGITS, Rule, apply, rule

STARTERS = (
    "The|A|An|He|She|It|We|They|I|In|On|At|As|By|For|From|To|This|That|These|Those|But|And|So|Or|If|When|Then|"
    "There|You|Your|Our|My|His|Her|Its|Their|Please|What|How|Why|Who|Where|Not|No|Yes|Also|However|After|Before|"
    "Let|Is|Are|Was|Do|Does|Did|Can|Could|Would|Will|Should|Some|Many|Most|All|Each|Every|One|With|While|Once"
)
"""Words that open a sentence far more often than they follow an abbreviation within one."""
_ENDS = rf"\.(?=\s*$|\s*\n|[\"')\]]*\s+(?:{STARTERS})\b)"

_TITLES = {
    "Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Prof": "Professor", "Rev": "Reverend",
    "Gen": "General", "Sen": "Senator", "Rep": "Representative", "Gov": "Governor", "Capt": "Captain",
    "Lt": "Lieutenant", "Col": "Colonel", "Sgt": "Sergeant", "Hon": "Honorable", "Pres": "President",
    "Mt": "Mount", "Ft": "Fort", "St": "Saint", "Messrs": "Messieurs",
}  # fmt: skip
_STREETS = {
    "St": "Street", "Dr": "Drive", "Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road", "Ln": "Lane",
    "Hwy": "Highway", "Pkwy": "Parkway", "Sq": "Square", "Pl": "Place", "Ct": "Court",
}  # fmt: skip
_BEFORE_NUMBER = {
    "no": "number", "nos": "numbers", "p": "page", "pp": "pages", "vol": "volume", "ch": "chapter",
    "fig": "figure", "figs": "figures", "eq": "equation", "sec": "section", "art": "article",
    "ext": "extension",
    "apt": "apartment", "rm": "room", "tel": "telephone", "ver": "version", "est": "established",
    "approx": "approximately", "ca": "about", "c": "about", "max": "maximum", "min": "minimum",
    "avg": "average", "pt": "part", "ste": "suite", "chap": "chapter", "para": "paragraph",
}  # fmt: skip
_ENDING = {
    "etc": "et cetera", "Inc": "Incorporated", "Ltd": "Limited", "Co": "Company", "Corp": "Corporation",
    "Jr": "Junior", "Sr": "Senior", "Bros": "Brothers", "Ave": "Avenue", "Blvd": "Boulevard", "Rd": "Road",
    "Hwy": "Highway", "et al": "et al", "Univ": "University", "Assn": "Association", "Dept": "Department",
    "dept": "department", "govt": "government", "Govt": "Government", "hr": "hour", "hrs": "hours",
    "mins": "minutes", "secs": "seconds", "yrs": "years",
}  # fmt: skip
_ANYWHERE = {
    "vs": "versus", "approx": "approximately", "cf": "compare", "incl": "including", "excl": "excluding",
    "max": "maximum", "avg": "average", "misc": "miscellaneous", "temp": "temperature", "est": "estimated",
    "viz": "namely", "esp": "especially", "dept": "department", "ext": "extension", "tel": "telephone",
}  # fmt: skip
_PLAIN = {
    "vs": "versus", "Mr": "Mister", "Mrs": "Missus", "Ms": "Miz", "Dr": "Doctor", "w/o": "without",
    "b/c": "because", "n/a": "not applicable", "N/A": "not applicable", "w/": "with ", "c/o": "care of",
    "a/c": "air conditioning", "and/or": "and or", "approx": "approximately", "PhD": "P H D",
}  # fmt: skip


def say_abbreviations(text: str) -> str:
    if "." in text:
        text = apply(_DOTTED, text)
    return apply(_BARE, text)


def _either(table: dict[str, str]) -> str:
    return "|".join(re.escape(name) for name in sorted(table, key=len, reverse=True))


def _tails(table: dict[str, str]) -> str:
    """The names without their first letter, which may be a capital."""
    return "|".join(sorted({name[1:] for name in table}, key=len, reverse=True))


def _look_up(table: dict[str, str], found: re.Match[str]) -> str:
    return table.get(found[1]) or table.get(found[1].lower()) or found[0]


def _letters(found: re.Match[str]) -> str:
    return found[0].replace(".", "")


def _phrase(words: str, found: re.Match[str]) -> str:
    return words[0].upper() + words[1:] if found[0][0].isupper() else words


_LETTERS = r"(?<![\w.])(?:[A-Za-z]\.){1,5}[A-Za-z]"
_PHRASES = (
    (r"e\.\s?g\.,?", "for example,"), (r"i\.\s?e\.,?", "that is,"), (r"a\.k\.a\.?", "also known as"),
    (r"p\.s\.", "P S:"), (r"Ph\.\s?D\.?", "P H D"), (r"M\.\s?D\.(?=\W)", "M D"),
)  # fmt: skip

_DOTTED: tuple[Rule, ...] = (
    *(rule(rf"(?<![\w.]){p}(?!\w)", partial(_phrase, words), ".", re.IGNORECASE) for p, words in _PHRASES),
    # a street has its name before it, a saint or doctor after it; at the end of a sentence the stop stays
    rule(rf"(?<=[a-z] )({_either(_STREETS)}){_ENDS}", lambda m: _STREETS[m[1]] + "."),
    rule(
        rf"(?<=[a-z\d] )(?<=\w\w )({_either(_STREETS)})\.(?=\s*[,;:)]|\s+[a-z#\d])",
        partial(_look_up, _STREETS),
    ),
    rule(
        rf"(?<=[A-Z][a-z][a-z][a-z] )({_either(_STREETS)})\.(?=\s+(?:NW|NE|SW|SE|Apt|Suite|Unit|and)\b)",
        partial(_look_up, _STREETS),
    ),
    rule(rf"\b({_either(_TITLES)})\.(?=\s*[A-Z])", partial(_look_up, _TITLES)),
    rule(r"\b(Mr|Mrs|Ms|Dr)\.(?=\s+[a-z])", partial(_look_up, _TITLES)),
    rule(
        rf"\b({_either(_BEFORE_NUMBER)})\.(?=\s*[#$\d])",
        lambda m: _BEFORE_NUMBER[m[1].lower()] + " ",
        DIGITS,
        re.IGNORECASE,
    ),
    rule(rf"(?:,\s*)?\b({_either(_ENDING)}){_ENDS}", lambda m: m[0][: -len(m[1]) - 1] + _ENDING[m[1]] + "."),
    rule(rf"\b({_either(_ENDING)})\.(?!\w)", partial(_look_up, _ENDING)),
    rule(rf"\b([A-Za-z](?:{_tails(_ANYWHERE)}))\.(?!\w)", partial(_look_up, _ANYWHERE)),
    # U.S. Army, but "in the U.S. The ..." and a last "U.S." keep their full stop
    rule(rf"{_LETTERS}{_ENDS}", lambda m: _letters(m) + "."),
    rule(rf"{_LETTERS}\.(?!\w)", _letters),
    # the initial of a name; "vitamin C. The" and "than I. Then" end their sentence
    rule(rf"(?<![\w.'])([A-HJ-Z])\.(?=\s+(?!(?:{STARTERS})\b)[A-Z])", r"\1"),
)
_BARE: tuple[Rule, ...] = (
    rule(rf"(?<![\w/.])({_either(_PLAIN)})(?![\w/]|(?<!/)\.\w)", lambda m: _PLAIN[m[1]], "vMDw/aPt"),
)
