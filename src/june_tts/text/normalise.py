"""One block of raw text to words: characters, Markdown, the language's own rules, punctuation."""

import re

from june_tts.text.characters import clean
from june_tts.text.english import say_english
from june_tts.text.links import strip_schemes
from june_tts.text.markdown import strip_markdown
from june_tts.text.spelling import cardinal_in, supported
from june_tts.text.tidy import tidy

# Japanese phonemisers read digits themselves and know few of the characters that numbers are written with
_READS_DIGITS = {"ja"}
# whole numbers only: separators, ordinals ("3.") and units differ by language, and espeak-ng knows them
_WHOLE = re.compile(r"(?<![\w.,:/+-])\d{1,15}(?![\w\xba\xaa\xb0%]|[.,:/-]\S|\.)")


def normalize_block(text: str, language: str, *, within_line: bool = False) -> str:
    """Words and punctuation, one paragraph per line. Cost grows with the square of the length at worst."""
    text = strip_markdown(clean(text), within_line=within_line)
    base = language.replace("_", "-").split("-")[0].lower()
    if base == "en":
        text = say_english(text, language)
    else:
        text = strip_schemes(text)
        if base not in _READS_DIGITS and supported(language):
            text = _WHOLE.sub(lambda m: cardinal_in(m[0], language), text)
    return tidy(text)
