"""Numbers that name rather than count, read digit by digit in English: phones, PINs, addresses, versions."""

import re

from june_tts.text.rules import Rule, apply, rule
from june_tts.text.spelling import cardinal, one_by_one

_NOT_DIGIT = re.compile(r"\D+")
_NAME = (
    r"(?:code|pin|password|passcode|otp|zip|postcode|extension|ext\.?|account|confirmation|tracking|reference|"
    r"serial|order|ticket|invoice|case|id|flight|channel|isbn)"
)
_BEFORE = r"(?<![\w.,+-])"
_AFTER = r"(?![\w]|[.,-]\d)"


def say_codes(text: str) -> str:
    return apply(_RULES, text)


def _groups(found: re.Match[str]) -> str:
    """Digit groups with a short pause between them, as phone numbers are read out."""
    plus = "plus " if found[0].lstrip("(").startswith("+") else ""
    return plus + ", ".join(one_by_one(group) for group in _NOT_DIGIT.split(found[0]) if group)


def _named(found: re.Match[str]) -> str:
    return found[0][: -len(found[1])] + one_by_one(found[1])


def _dotted(found: re.Match[str]) -> str:
    return " dot ".join(one_by_one(part) for part in found[0].split("."))


def _version(found: re.Match[str]) -> str:
    word = "version " if found[1] else ""
    return word + " point ".join(cardinal(part) for part in found[2].split("."))


_RULES: tuple[Rule, ...] = (
    rule(rf"{_BEFORE}\d{{1,3}}(?:\.\d{{1,3}}){{3}}{_AFTER}", _dotted, "."),
    rule(rf"\b([vV])\.?\s?(\d{{1,4}}(?:\.\d{{1,4}}){{0,4}}){_AFTER}", _version, "vV"),
    rule(r"(?<=\b[Vv]ersion )()(\d{1,4}(?:\.\d{1,4}){1,4})(?![\w]|\.\d)", _version, "."),
    rule(r"(?<=\bPython )()(\d{1,2}\.\d{1,4})(?![\w]|\.\d)", _version, "P"),
    # +44 20 7946 0958, +1 (555) 123-4567
    rule(rf"(?<![\w.])\+\d{{1,3}}(?:[\s.-]?\(?\d{{1,4}}\)?){{2,5}}{_AFTER}", _groups, "+"),
    # (555) 123-4567, 1-800-555-0199, 555-123-4567, 555.123.4567
    rule(rf"{_BEFORE}(?:1[\s.-])?(?:\(\d{{3}}\)\s?|\d{{3}}[\s.-])\d{{3}}[\s.-]\d{{4}}{_AFTER}", _groups),
    rule(rf"{_BEFORE}\d{{3}}-(?:\d{{2}}-)?\d{{4}}{_AFTER}", _groups, "-"),
    rule(rf"{_BEFORE}()(\d{{1,4}}(?:\.\d{{1,4}}){{2,4}}){_AFTER}", _version, "."),
    # cards and other long groups: 4111 1111 1111 1111, 0800 123 456
    rule(rf"{_BEFORE}\d{{4}}(?:[ -]\d{{4}}){{2,4}}{_AFTER}", _groups),
    rule(rf"{_BEFORE}0\d{{2,4}}(?: \d{{3,4}}){{1,2}}{_AFTER}", _groups, "0"),
    rule(
        rf"(?i:(?:\b{_NAME}\s(?:number\s|no\.\s)?(?:is\s|was\s)?[:#]?\s?|\b(?:call|dial|text|ring)\s))"
        rf"(\d{{3,12}}){_AFTER}",
        _named,
    ),
    # a leading zero or eight digits without a separator count nothing
    rule(rf"{_BEFORE}0\d+{_AFTER}", lambda m: one_by_one(m[0]), "0"),
    rule(r"(?<![\w.,])\d{8,}(?!\d|[.,]\d)", lambda m: one_by_one(m[0])),
)
