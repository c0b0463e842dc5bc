"""Measures in English: `5 km`, `10kg`, `20°C`, `60 mph`, `3 GB`, `5-10%`, `5'10"`, `10 m/s`."""

import re

from june_tts.text.rules import DIGITS, NUMBER, START, Rule, apply, rule
from june_tts.text.spelling import cardinal, decimal, plural

_UNITS = {
    "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "nm": "nanometer",
    "\xb5m": "micrometer", "mi": "mile", "yd": "yard", "ft": "foot", "in": "inch",
    "kg": "kilogram", "g": "gram", "mg": "milligram", "\xb5g": "microgram", "lb": "pound", "lbs": "pound",
    "oz": "ounce",
    "tsp": "teaspoon", "tbsp": "tablespoon", "L": "liter", "l": "liter",
    "ml": "milliliter", "mL": "milliliter", "cl": "centiliter",
    "gal": "gallon", "ha": "hectare", "acres": "acre",
    "km\xb2": "square kilometer", "m\xb2": "square meter", "cm\xb2": "square centimeter",
    "m\xb3": "cubic meter", "cm\xb3": "cubic centimeter", "sq ft": "square foot", "sq km": "square kilometer",
    "km/h": "kilometer per hour", "kph": "kilometer per hour", "kmh": "kilometer per hour",
    "mph": "mile per hour", "m/s": "meter per second", "mpg": "mile per gallon",
    "rpm": "revolution per minute",
    "fps": "frame per second", "dpi": "dot per inch", "bpm": "beat per minute",
    "KB": "kilobyte", "kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte",
    "PB": "petabyte", "Kbps": "kilobit per second", "kbps": "kilobit per second",
    "Mbps": "megabit per second", "Gbps": "gigabit per second", "MB/s": "megabyte per second",
    "GB/s": "gigabyte per second",
    "Hz": "hertz", "kHz": "kilohertz", "MHz": "megahertz", "GHz": "gigahertz",
    "mW": "milliwatt", "W": "watt", "kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt", "Wh": "watt hour",
    "kWh": "kilowatt hour", "MWh": "megawatt hour", "V": "volt", "mV": "millivolt", "kV": "kilovolt",
    "mA": "milliamp", "mAh": "milliamp hour", "kPa": "kilopascal", "hPa": "hectopascal",
    "psi": "pound per square inch",
    "dB": "decibel", "px": "pixel", "cal": "calorie", "kcal": "kilocalorie", "kJ": "kilojoule",
    "ns": "nanosecond", "\xb5s": "microsecond", "ms": "millisecond", "s": "second", "sec": "second",
    "secs": "second", "min": "minute", "mins": "minute", "h": "hour", "hr": "hour", "hrs": "hour",
    "yr": "year", "yrs": "year", "mo": "month", "wk": "week", "wks": "week",
    "\xb0C": "degree Celsius", "\xb0F": "degree Fahrenheit", "\xb0": "degree", "\xba": "degree",
}  # fmt: skip
_PLURALS = {"foot": "feet", "inch": "inches", "hertz": "hertz", "gigahertz": "gigahertz"}
# too easily another word to be read as a unit without a full stop: "5 in the morning"
_WORDLIKE = {"in", "mo", "cal", "acres"}
_NAMES = "|".join(re.escape(unit) for unit in sorted(_UNITS.keys() - _WORDLIKE, key=len, reverse=True))
_PER = {"s": "second", "min": "minute", "h": "hour", "hr": "hour", "day": "day", "week": "week",
        "month": "month", "mo": "month", "year": "year", "yr": "year", "person": "person",
        "kg": "kilogram", "km": "kilometer", "mi": "mile", "L": "liter"}  # fmt: skip
_DASH = r"\s?(?:[-\u2013]|to)\s?"
_SIGN = r"(?P<sign>(?<![\w)])[-+])?"


SYMBOLS = _NAMES
"""Alternatives of a pattern: every unit that is no common word."""


def named(symbol: str, single: bool) -> str:
    """`km` as kilometer or kilometers."""
    name = _UNITS[symbol]
    return name if single else many(name)


def say_units(text: str) -> str:
    if not frozenset(DIGITS).isdisjoint(text):
        text = apply(_COUNTED, text)
    return apply(_BARE, text)


def many(name: str) -> str:
    """`kilometer per hour` as kilometers per hour."""
    head, per, tail = name.partition(" per ")
    words = head.split()
    # the counted word comes first in "degrees Celsius", last in "square feet"
    at = 0 if words[0] == "degree" else -1
    word = words[at]
    words[at] = _PLURALS.get(word, word if word.endswith("hertz") else word + "s")
    return " ".join(words) + per + tail


def _quantity(found: re.Match[str]) -> tuple[str, bool]:
    """The words for the number or range, and whether it counts exactly one."""
    sign = {"-": "minus ", "+": "plus "}.get(found["sign"] or "", "")
    low = sign + decimal(found["lo"])
    high = found["hi"]
    return (f"{low} to {decimal(high)}", False) if high else (low, found["lo"] == "1")


def _measure(found: re.Match[str]) -> str:
    number, single = _quantity(found)
    # "a 5-km run" counts as an adjective: five-kilometer
    return f"{number} {named(found['unit'].rstrip('.'), single or found['gap'] == '-')}"


def _percent(found: re.Match[str]) -> str:
    return _quantity(found)[0] + " percent"


_QUANTITY = rf"{START}{_SIGN}(?P<lo>{NUMBER})(?:{_DASH}(?P<hi>{NUMBER}))?"
_COUNTED: tuple[Rule, ...] = (
    rule(rf"{_QUANTITY}\s?%", _percent, "%"),
    rule(rf"{START}(\d)'\s?(\d{{1,2}})(?:\"|'')", lambda m: f"{m[1]} foot {m[2]}", "'"),
    rule(
        rf"{START}(\d{{1,3}})\s?(?:ft|feet|')\.?\s?(\d{{1,2}})\s?in\b",
        lambda m: f"{m[1]} {'foot' if m[1] == '1' else 'feet'} {m[2]} {'inch' if m[2] == '1' else 'inches'}",
        "i",
    ),
    rule(r"(?<![\w.,])(10{2,6})s\b", lambda m: plural(cardinal(m[1]).removeprefix("one ")), "s"),
    rule(rf"{START}({NUMBER})\"(?!\w)", lambda m: f"{decimal(m[1])} inches", '"'),
    rule(
        rf"{_QUANTITY}(?P<gap>[\s-]?)(?P<unit>{_NAMES})(?:\.(?=\s+[a-z]|,))?(?![\w'/\xb2\xb3]|-\d)", _measure
    ),
    rule(rf"{_QUANTITY}(?P<gap>[\s-]?)(?P<unit>in\.)(?=\s|,|$)", _measure, "."),
    rule(r"(?<=\d)\s?[x\xd7]\s?(?=\d)", " by ", "x\xd7"),
    rule(rf"{START}({NUMBER})x(?!\w)", lambda m: f"{decimal(m[1])} times", "x"),
)
_BARE: tuple[Rule, ...] = (
    rule(r"(?<=[a-z])\s?/\s?(" + "|".join(_PER) + r")\b(?!/)", lambda m: f" per {_PER[m[1]]}", "/"),
    rule(r"\b(tb?sp)\b\.?", lambda m: _UNITS[m[1]], "t"),
    rule("%", " percent ", "%"),
    rule("\xb0", " degrees ", "\xb0"),
)
