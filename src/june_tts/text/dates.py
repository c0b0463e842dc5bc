"""Dates in English: `2024-03-05`, `3/5/2024`, `March 5, 2024`, `5 March`, `Mon., Sept. 3`, `the 1990s`."""

import re
from collections.abc import Sequence
from functools import cache

from june_tts.text.rules import DIGITS, Rule, apply, rule
from june_tts.text.spelling import cardinal, ordinal, plural, year

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FULL_MONTH = "|".join(_MONTHS)
_SHORT_DAY = "Mon|Tues?|Wed|Thur?s?|Fri|Sat|Sun"
_ANY_MONTH = re.compile(_FULL_MONTH)
_SHORT_MONTH = "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec"
_DAY = r"(3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?"
_YEAR = r"(1\d{3}|20\d{2})"
_NUMERIC = r"(\d{1,2})([/.])(\d{1,2})\2(\d{4}|\d{2})"


def say_dates(text: str, day_first: bool) -> str:
    """Args:
    day_first: read 3/5/2024 as the third of May, as outside the United States.
    """
    text = apply(_WEEK, text)
    if frozenset(DIGITS).isdisjoint(text):
        return text
    text = apply(_SHORT, text)
    text = apply(_numeric_rules(day_first), text)
    if _ANY_MONTH.search(text):
        text = apply(_NAMED, text)
    return text


def say_decades(text: str) -> str:
    """`the 1990s`. After the times, where `30s` are seconds."""
    return apply(_DECADES, text)


def _named(month: int, day: str, suffix: str, day_first: bool) -> str:
    name = _MONTHS[month - 1]
    return f"the {ordinal(day)} of {name}{suffix}" if day_first else f"{name} {ordinal(day)}{suffix}"


def _iso(found: re.Match[str], day_first: bool) -> str:
    words = _named(int(found[2]), found[3], f", {year(found[1])}", day_first)
    return f"{words} at {found[4]}" if found[4] else words


def _numeric(found: re.Match[str], day_first: bool) -> str:
    first, second = int(found[1]), int(found[3])
    # dots are never American; a number over 12 can only be the day
    swap = day_first or found[2] == "." or first > 12
    day, month = (first, second) if swap and second <= 12 else (second, first)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return found[0]
    full = found[4] if len(found[4]) == 4 else "20" + found[4]
    return _named(month, str(day), f", {year(full)}", day_first)


def _month_day(found: re.Match[str]) -> str:
    tail = f"{found[3]} {year(found[4])}" if found[4] else ""
    return f"{found[1]} {ordinal(found[2])}{tail}"


def _day_month(found: re.Match[str]) -> str:
    tail = f"{found[4]} {year(found[5])}" if found[5] else ""
    return f"{found[1] or 'the '}{ordinal(found[2])} of {found[3]}{tail}"


def _month_span(found: re.Match[str]) -> str:
    tail = f", {year(found[4])}" if found[4] else ""
    return f"{found[1]} {ordinal(found[2])} to {ordinal(found[3])}{tail}"


def _decade(digits: str) -> str:
    """`1990` as nineteen nineties, `90` as nineties, `2000` as two thousands."""
    return plural(year(digits) if len(digits) == 4 else cardinal(digits))


def _weekday(short: str) -> str:
    return next(name for name in _DAYS if name.startswith(short[:3]))


def _month(short: str) -> str:
    return next(name for name in _MONTHS if name.startswith(short[:3]))


_SHORT: tuple[Rule, ...] = (
    rule(rf"\b({_SHORT_MONTH})\b\.?(?=\s+\d)", lambda m: _month(m[1])),
    rule(
        rf"(?<=\d)(\s+)({_SHORT_MONTH})\b(?:\.(?!\s*$))?(?=,?\s+\d|[,;)]|\s*$)", lambda m: m[1] + _month(m[2])
    ),
    rule(
        rf"\b({_SHORT_DAY})\b\.?(?=,?\s+(?:{_FULL_MONTH}|\d))",
        lambda m: _weekday(m[1]),
    ),
)
_WEEK = (
    rule(
        rf"\b({_SHORT_DAY})\b\.?\s?[-\u2013]\s?({_SHORT_DAY})\b(?:\.(?=\s+[\da-z]|,))?",
        lambda m: f"{_weekday(m[1])} to {_weekday(m[2])}",
        "-\u2013",
    ),
)
_NAMED: tuple[Rule, ...] = (
    rule(rf"\b({_FULL_MONTH})\s+{_DAY}\s?[-\u2013]\s?{_DAY}\b(?:,?\s+{_YEAR}\b)?", _month_span, "-\u2013"),
    rule(rf"\b({_FULL_MONTH})\s+{_DAY}\b(?![:.,]\d|\s?[ap]\.?m\b|%)(?:(,?)\s+{_YEAR}\b)?", _month_day),
    rule(rf"\b(the\s+)?{_DAY}(?:\s+of)?\s+({_FULL_MONTH})\b(?:(,?)\s+{_YEAR}\b)?", _day_month),
    rule(rf"\b({_FULL_MONTH})(,?)\s+{_YEAR}\b", lambda m: f"{m[1]}{m[2]} {year(m[3])}"),
)
_DECADES = (rule(r"(?<![\w.,])'?((?:1[1-9]|20)\d0|[2-9]0)'?s\b", lambda m: _decade(m[1]), "s"),)


@cache
def _numeric_rules(day_first: bool) -> Sequence[Rule]:
    return (
        rule(
            r"(?<![\w.-])(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?![\w-]*\d-)"
            r"(?:T(\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?",
            lambda m: _iso(m, day_first),
            "-",
        ),
        rule(rf"(?<![\w./-]){_NUMERIC}(?![\w/])(?!\.\d)", lambda m: _numeric(m, day_first), "/."),
    )
