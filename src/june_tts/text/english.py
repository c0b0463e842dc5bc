"""English, in an order that matters: each concern leaves words, in which later ones find no digits."""

from june_tts.text.abbreviations import say_abbreviations
from june_tts.text.codes import say_codes
from june_tts.text.dates import say_dates, say_decades
from june_tts.text.fractions import say_fractions
from june_tts.text.links import say_links
from june_tts.text.money import say_money
from june_tts.text.numbers import say_numbers
from june_tts.text.roman import say_roman
from june_tts.text.symbols import say_symbols
from june_tts.text.times import say_times
from june_tts.text.units import say_units

_MONTH_FIRST = {"en", "en-us", "en_us", "en-ca", "en-ph"}


def say_english(text: str, language: str) -> str:
    text = say_links(text)
    digits = any(char.isdigit() for char in text)
    text = say_dates(text, day_first=language.lower() not in _MONTH_FIRST)
    if digits:
        text = say_decades(say_times(text))
    text = say_abbreviations(say_roman(text))
    text = say_money(text)
    if digits:
        text = say_codes(text)
    text = say_symbols(say_units(say_fractions(text)))
    return say_numbers(text) if digits else text
