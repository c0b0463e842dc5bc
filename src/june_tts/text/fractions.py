"""Fractions in English: `1/2`, `2 3/4`, `6.02e23`, and the few slashed numbers that are none."""

import re

from june_tts.text.rules import START, Rule, apply, rule
from june_tts.text.spelling import cardinal, decimal, ordinal, plural
from june_tts.text.units import SYMBOLS, named

_DENOMINATORS = {"2": "half", "4": "quarter"}


def say_fractions(text: str) -> str:
    return apply(_RULES, text)


def _measure(found: re.Match[str]) -> str:
    unit = found["unit"]
    return f"{_fraction(found)} {named(unit, not found['whole'])}" if unit else _fraction(found)


def _fraction(found: re.Match[str]) -> str:
    top, bottom = found["top"], found["bottom"]
    whole = found["whole"]
    if bottom in {"10", "100"} and 1 < int(top) <= int(bottom) and not whole:
        return f"{cardinal(top)} out of {cardinal(bottom)}"
    if top == bottom:
        return f"{whole or ''} {cardinal(top)} {cardinal(bottom)}".strip()
    if not 2 <= int(bottom) <= 100 or int(top) >= int(bottom) or len(top) > 2:
        return f"{whole or ''} {cardinal(top)} slash {cardinal(bottom)}".strip()
    name = _DENOMINATORS.get(bottom) or ordinal(bottom)
    words = f"{cardinal(top)} {name if top == '1' else plural(name)}"
    if not whole:
        return words
    if bottom in _DENOMINATORS and top == "1":
        words = f"a {name}"
    return f"{cardinal(whole)} and {words}"


def _power(found: re.Match[str]) -> str:
    sign = "minus " if found[2] == "-" else ""
    return f"{decimal(found[1])} times ten to the power of {sign}{cardinal(found[3])}"


_RULES: tuple[Rule, ...] = (
    rule(rf"{START}(\d{{1,3}}(?:\.\d{{1,15}})?)[eE]([+-]?)(\d{{1,3}})\b", _power, "eE"),
    rule(r"(?<![\w/])24/7(?![\w/])", "twenty-four seven", "/"),
    rule(r"(?<![\w/])9/11(?![\w/])", "nine eleven", "/"),
    rule(
        r"(?<![\w./,])(?:(?P<whole>\d{1,4})[\s-])?(?P<top>\d{1,3})/(?P<bottom>\d{1,4})(?![\w/]|[.,]\d)"
        rf"(?:\s(?P<unit>{SYMBOLS})\b(?!/)(?:\.(?=\s+[a-z]|,))?)?",
        _measure,
        "/",
    ),
)
