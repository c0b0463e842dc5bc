"""Numbers in words, by Unicode's rule-based number formats. The only importer of unicode_rbnf."""

from functools import cache, lru_cache

from unicode_rbnf import RbnfEngine
from unicode_rbnf.engine import FormatPurpose, RbnfError

_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SAME = {"nb": "no"}
# beyond this the rules compute in floats and lose digits
_LARGEST_DIGITS = 15


@cache
def supported(language: str) -> str | None:
    """The engine name for a language tag such as `de-CH`, or None."""
    known = RbnfEngine.get_supported_languages()
    tag = language.replace("-", "_")
    base = tag.split("_")[0].lower()
    return next((name for name in (tag, _SAME.get(base, base)) if name in known), None)


@cache
def _engine(name: str) -> RbnfEngine:
    return RbnfEngine.for_language(name)


@lru_cache(maxsize=2048)
def _format(number: int, purpose: FormatPurpose, name: str) -> str | None:
    try:
        return _engine(name).format_number(number, purpose).text
    except (RbnfError, ValueError):
        return None


def cardinal_in(digits: str, language: str) -> str:
    """A whole number in words of any language; the digits themselves where the rules have no words."""
    name = supported(language)
    if name is None or len(digits) > _LARGEST_DIGITS:
        return digits
    return _format(int(digits), FormatPurpose.CARDINAL, name) or digits


def cardinal(digits: str) -> str:
    """`1234` or `1,234` in English words; very long numbers digit by digit."""
    plain = digits.replace(",", "")
    return one_by_one(plain) if len(plain) > _LARGEST_DIGITS else cardinal_in(plain, "en")


def decimal(number: str) -> str:
    """`3.14`, `.5`, `1,299.99` in English words; digits after the point are read one by one."""
    whole, _, part = number.partition(".")
    words = cardinal(whole) if whole else "zero"
    return f"{words} point {one_by_one(part)}" if part else words


def ordinal(digits: str) -> str:
    plain = digits.replace(",", "")
    if len(plain) > _LARGEST_DIGITS:
        return one_by_one(plain) + "th"
    return _format(int(plain), FormatPurpose.ORDINAL, "en") or digits


def year(digits: str) -> str:
    """`1999` as nineteen ninety-nine, `2005` as two thousand five, `1905` as nineteen oh five."""
    return (_format(int(digits), FormatPurpose.YEAR, "en") or digits).replace("oh-", "oh ")


def one_by_one(digits: str) -> str:
    return " ".join(_ONES[int(digit)] for digit in digits)


def plural(word: str) -> str:
    """`ninety` to `nineties`, `third` to `thirds`, `sixth` to `sixths`."""
    if word.endswith("y"):
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("x", "s")) else "s")
