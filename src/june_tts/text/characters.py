"""One way to write each character: controls and emoji gone, spaces, quotes and dashes unified.

Language-independent. What is left is text, `\\n`, plain spaces and punctuation.
"""

import re
import unicodedata

from june_tts.errors import InvalidRequest

_SURROGATE = re.compile("[\ud800-\udfff]")
_NEWLINE = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_ODD = re.compile(r"[^\n -~]")

# the joiners shape words in Arabic and Indic scripts (U+0600 .. U+0DFF); elsewhere they only glue emoji
_JOINER = re.compile("(?<![\u0600-\u0dff])[\u200c\u200d]|[\u200c\u200d](?![\u0600-\u0dff])")
# a letter or sign that the emoji selector turns into a picture, such as U+2139
_PICTURE = re.compile("[^\\s0-9#*]\ufe0f")
# styled Latin letters and digits (mathematical, full width, circled, ligatures) hide plain words
_STYLED = re.compile(
    "[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\ufb00-\ufb06\u2460-\u2473\U0001d400-\U0001d7ff]"
)
_FRACTION = re.compile("(?<=[0-9])(?=[\xbc-\xbe\u2150-\u215e])")

_SAME = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\uff07\x60\xb4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\xab\xbb\u2039\u203a\uff02", '"'),
        **dict.fromkeys("\u2010\u2011\u2212\ufe63\uff0d", "-"),
        **dict.fromkeys("\u2012\u2013", "\u2013"),
        **dict.fromkeys("\u2014\u2015\u2e3a\u2e3b", "\u2014"),
        **dict.fromkeys("\u2022\u2023\u25aa\u25cf\u25e6\u2043\xb7", "\u2022"),
        "\u2026": "...",
        "\u22ef": "...",
        "\uff05": "%",
        "\uff06": "&",
        "\uff04": "$",
        "\uffe5": "\xa5",
        "\u2103": "\xb0C",
        "\u2109": "\xb0F",
        "\u2116": "No. ",
        "\u2044": "/",
        "\u2215": "/",
        "\xbf": "",
        "\xa1": "",
        "\ufffd": " ",
    }
)
_KEPT_SYMBOLS = frozenset("\xb0\xa9\u2192\u2190\u2022")
_DROPPED = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "So", "Sk", "Me"})


def check_text(text: str) -> None:
    """Refuse text that is no Unicode text.

    Raises:
        InvalidRequest: an unpaired surrogate, with its position.
    """
    found = _SURROGATE.search(text)
    if found:
        raise InvalidRequest(
            f"text has an unpaired surrogate U+{ord(found[0]):04X} at character {found.start()}: "
            "expected valid Unicode",
            param="text",
        )


def clean(text: str) -> str:
    """Unify the characters of a block. Newlines stay, every other blank becomes a space."""
    text = _NEWLINE.sub("\n", text)
    if not _ODD.search(text):
        return text
    text = _PICTURE.sub("", _JOINER.sub("", text))
    text = _FRACTION.sub(" ", text)
    text = _STYLED.sub(lambda m: unicodedata.normalize("NFKC", m[0]), text)
    text = unicodedata.normalize("NFC", text).translate(_SAME)
    return _ODD.sub(_plain, text)


def _plain(found: re.Match[str]) -> str:
    char = found[0]
    if char in _KEPT_SYMBOLS or char in "\u200c\u200d":
        return char
    if char.isspace():
        return " "
    category = unicodedata.category(char)
    if category in _DROPPED:
        # a control may have stood between two words; a format character stands within one
        return " " if category in {"So", "Cc"} else ""
    if category == "Nd":
        return str(unicodedata.digit(char))
    if category == "No" and unicodedata.decomposition(char).startswith("<fraction>"):
        return unicodedata.normalize("NFKC", char).replace("\u2044", "/")
    return "" if "\ufe00" <= char <= "\ufe0f" else char
