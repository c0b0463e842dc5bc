"""Where the words of a text stand."""

import re

from june_tts.text.tidy import has_speech

_CLOSING = "\u3001\u3002\uff0c\uff01\uff1f\uff1b\uff1a\u300d\u300f\uff09"
_TOKEN = re.compile(
    # Chinese and Japanese leave no space between words: each character stands for itself
    rf"[\u3040-\u30ff\u3400-\u9fff][{_CLOSING}]*|[^\s\u3040-\u30ff\u3400-\u9fff]+"
)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Start and stop of each word, with the punctuation that it touches; what has no sound is left out."""
    return [found.span() for found in _TOKEN.finditer(text) if has_speech(found[0])]
