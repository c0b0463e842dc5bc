"""What is left of digits in English text: ordinals, years, ranges, plain numbers."""

import re

from june_tts.text.rules import NUMBER, START, Rule, apply, rule
from june_tts.text.spelling import cardinal, decimal, one_by_one, ordinal, year

_YEAR = r"(?:1[1-9]\d\d|20\d\d)"
_DATED = (
    r"(?i:\b(?:in|since|until|till|by|during|year|years|circa|early|late|mid|before|after|from|between|and|to|"
    r"of|spring|summer|autumn|fall|winter|copyright|established|class)[\s-])"
)
# "1500 people" counts; "2024 was" does not
_COUNTED = (
    r"(?=[\s-](?!(?:was|is|has|does|as|this|its|his|us|times|always|across|perhaps|plus)\b)"
    r"[a-z]{2,}(?:s|people|men|women|children)\b)"
)
_SCALES = {"K": "thousand", "M": "million", "B": "billion", "T": "trillion", "bn": "billion"}
_DASH = r"\s?[\u2013]\s?|-"
_END = r"(?![\w]|[.,]\d)"


def say_numbers(text: str) -> str:
    return apply(_RULES, text)


def _years(found: re.Match[str]) -> str:
    end = found[2]
    return f"{year(found[1])} to {year(end) if len(end) == 4 else cardinal(end)}"


def _range(found: re.Match[str]) -> str:
    low, high = (float(part.replace(",", "")) for part in found.groups())
    # scores go either way; a large number before a smaller one is a name, such as 747-400
    joint = " to " if low < high or low < 100 else " "
    return f"{decimal(found[1])}{joint}{decimal(found[2])}"


def _mixed(found: re.Match[str]) -> str:
    """The digits in `MP3`, `GPT-4o`, `BA2490`: short ones count, long ones are read out."""
    digits = found[0]
    return f" {one_by_one(digits) if len(digits) > 2 or digits[0] == '0' else cardinal(digits)} "


_RULES: tuple[Rule, ...] = (
    rule(
        rf"{START}(\d{{1,3}}(?:,\d{{3}})+|\d+)(?:st|nd|rd|th)\b",
        lambda m: ordinal(m[1]),
        "tdTD",
        re.IGNORECASE,
    ),
    rule(r"(?<!\w)'(\d\d)(?![\w'])", lambda m: cardinal(m[1]), "'"),
    rule(rf"{START}({_YEAR})(?:{_DASH})({_YEAR}|\d\d){_END}", _years, "-\u2013"),
    rule(rf"({_DATED})({_YEAR})(?:'s)?{_END}(?!{_COUNTED})", lambda m: m[1] + year(m[2]), "12"),
    rule(rf"{START}({_YEAR}){_END}(?!{_COUNTED})(?!-)", lambda m: year(m[1]), "12"),
    rule(
        rf"(?<![\w.,)-])({NUMBER})(?:{_DASH})({NUMBER})(?![\w-]|[.,]\d)",
        _range,
        "-\u2013",
    ),
    rule(rf"(?<![\w.,)])-({NUMBER})(?![\w-]|[.,]\d)", lambda m: f"minus {decimal(m[1])}", "-"),
    rule(rf"{START}({NUMBER})(K|M|B|T|bn)\b(?!-)", lambda m: f"{decimal(m[1])} {_SCALES[m[2]]}", "KMBTb"),
    rule(rf"(?<![\w.])({NUMBER})(?!\w|\.\d)", lambda m: decimal(m[1])),
    rule(r"\d+", _mixed),
)
