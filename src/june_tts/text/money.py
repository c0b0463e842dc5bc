"""Amounts of money in English: `$3.50`, `€1.2 million`, `£5`, `20 EUR`, `$5M`, `$10-20`, `50¢`."""

import re
from typing import NamedTuple

from june_tts.text.rules import NUMBER, START, Rule, apply, rule
from june_tts.text.spelling import cardinal, decimal


class _Currency(NamedTuple):
    one: str
    many: str
    cent: str = ""
    cents: str = ""


_DOLLAR = _Currency("dollar", "dollars", "cent", "cents")
_SYMBOLS = {
    "$": _DOLLAR,
    "US$": _Currency("US dollar", "US dollars", "cent", "cents"),
    "C$": _Currency("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "A$": _Currency("Australian dollar", "Australian dollars", "cent", "cents"),
    "\xa3": _Currency("pound", "pounds", "penny", "pence"),
    "\u20ac": _Currency("euro", "euros", "cent", "cents"),
    "\xa5": _Currency("yen", "yen"),
    "\u20b9": _Currency("rupee", "rupees", "paisa", "paise"),
    "\u20a9": _Currency("won", "won"),
    "\u20bd": _Currency("rouble", "roubles", "kopeck", "kopecks"),
    "\u20bf": _Currency("bitcoin", "bitcoins"),
}
_CODES = {
    "USD": _SYMBOLS["US$"],
    "CAD": _SYMBOLS["C$"],
    "AUD": _SYMBOLS["A$"],
    "GBP": _SYMBOLS["\xa3"],
    "EUR": _SYMBOLS["\u20ac"],
    "JPY": _SYMBOLS["\xa5"],
    "INR": _SYMBOLS["\u20b9"],
    "CHF": _Currency("Swiss franc", "Swiss francs"),
    "CNY": _Currency("yuan", "yuan"),
}
_MAGNITUDES = {
    "k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million", "mm": "million",
    "b": "billion", "B": "billion", "bn": "billion", "T": "trillion", "tn": "trillion",
}  # fmt: skip
_SYMBOL = r"(?:US|[CA])?\$|[\xa3\u20ac\xa5\u20b9\u20a9\u20bd\u20bf]"
_CODE = "|".join(_CODES)
_WORDS = "hundred|thousand|million|billion|trillion"
_SCALE = rf"(?:[\s-]?({_WORDS})\b|({'|'.join(sorted(_MAGNITUDES, key=len, reverse=True))})\b)?"
_DASH = r"\s?(?:[-\u2013]|to)\s?"


def say_money(text: str) -> str:
    return apply(_RULES, text)


def amount(number: str, currency: _Currency, scale: str | None) -> str:
    """`3.50` as three dollars and fifty cents; with a scale as one point two million euros."""
    if scale:
        return f"{decimal(number)} {_MAGNITUDES.get(scale, scale)} {currency.many}"
    whole, _, part = number.replace(",", "").partition(".")
    if part and (len(part) != 2 or not currency.cent):
        return f"{decimal(number)} {currency.many}"
    units, cents = int(whole or 0), int(part or 0)
    said = []
    if units or not cents:
        said.append(f"{cardinal(str(units))} {currency.one if units == 1 else currency.many}")
    if cents:
        said.append(f"{cardinal(str(cents))} {currency.cent if cents == 1 else currency.cents}")
    return " and ".join(said)


def _before(found: re.Match[str]) -> str:
    sign = "minus " if found["sign"] else ""
    return sign + amount(found["n"], _SYMBOLS[found["cur"]], found[4] or found[5])


def _range(found: re.Match[str]) -> str:
    high = amount(found["hi"], _SYMBOLS[found["cur"]], found[4] or found[5])
    low = found["lo"]
    if low.endswith("k") or low.endswith("K"):
        return f"{decimal(low[:-1])} thousand to {high}"
    return f"{decimal(low)} to {high}"


def _after(found: re.Match[str]) -> str:
    return amount(found["n"], _SYMBOLS[found["cur"]], found[2] or found[3])


def _code_after(found: re.Match[str]) -> str:
    return amount(found["n"], _CODES[found["cur"]], found[2] or found[3])


def _cents(found: re.Match[str]) -> str:
    return f"{decimal(found[1])} {'cent' if found[1] == '1' else 'cents'}"


_SIGNS = "$\xa3\u20ac\xa5\u20b9\u20a9\u20bd\u20bf"
_RULES: tuple[Rule, ...] = (
    rule(
        rf"(?<!\w)(?P<cur>{_SYMBOL})\s?(?P<lo>(?:{NUMBER})[kK]?){_DASH}"
        rf"(?:(?P=cur))?\s?(?P<hi>{NUMBER}){_SCALE}(?!\w|\.\d)",
        _range,
        _SIGNS,
    ),
    rule(rf"(?P<sign>(?<!\w)-)?(?<![A-Za-z])(?P<cur>{_SYMBOL})\s?(?P<n>{NUMBER}){_SCALE}", _before, _SIGNS),
    rule(rf"{START}(?P<n>{NUMBER}){_SCALE}\s?(?P<cur>[\xa3\u20ac\xa5\u20b9])(?!\w)", _after, _SIGNS[1:]),
    rule(rf"{START}(?P<n>{NUMBER}){_SCALE}\s?(?P<cur>{_CODE})\b", _code_after, "DPRYF"),
    rule(
        rf"\b(?P<cur>{_CODE})\s?(?P<n>{NUMBER}){_SCALE}",
        lambda m: amount(m["n"], _CODES[m["cur"]], m[3] or m[4]),
        "DPRYF",
    ),
    rule(rf"{START}({NUMBER})\s?\xa2", _cents, "\xa2"),
    rule(_SYMBOL, lambda m: f" {_SYMBOLS[m[0]].one} ", _SIGNS),
)
