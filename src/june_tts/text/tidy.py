"""Punctuation that a phonemiser understands: `, . ; : ? !`, each once, nothing else. Language-independent."""

import re

from june_tts.text.rules import Rule, apply, rule

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_CLOSED = re.compile(r"[.!?,;:\u3002\uff01\uff1f\uff0c\u3001\u061f\u061b\u0964\u17d4\u104b]$")
# Korean writes a Latin full stop
_CJK_END = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]$")
_WORD = re.compile(r"[^\W_]")
_SOUND = re.compile(r"[^\W_]|[%&$@+=\xa2-\xa5\xa7\xa9\xb0\u20a0-\u20bf]")


def has_speech(text: str) -> bool:
    """Whether anything in it has a sound: a letter, a digit, or a sign with a name."""
    return next_sound(text, 0) < len(text)


def next_sound(text: str, start: int) -> int:
    """Where the next character stands that can be heard; the length of the text where there is none."""
    found = _SOUND.search(text, start)
    return found.start() if found else len(text)


def tidy(text: str) -> str:
    """One paragraph per line, one space between words."""
    lines = (apply(_RULES, line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def close(text: str) -> str:
    """End a paragraph with a full stop where nothing else ends it: voices fall instead of breaking off."""
    if not _WORD.search(text) or _CLOSED.search(text[-1:]):
        return text[:-1] + "." if text.endswith((",", ";")) else text
    return text + ("\u3002" if _CJK_END.search(text) else ".")


_RULES: tuple[Rule, ...] = (
    rule(rf"(?<=[{_CJK}])\.{{3,}}", "\u3002", "."),
    # an ellipsis within a sentence is a pause, at its end a full stop
    rule(r"\s?(?<!\.)\.{2,}(?=\s*[a-z])", ", ", "."),
    rule(r"\s?(?<!\.)\.{2,}", ". ", "."),
    rule(r"(\w)\((s|es)\)", r"\1\2", "("),
    rule(r"(?<=\w)\((?=\w)", " ", "("),
    rule(r"\s?[(\[{]+\s?", ", ", "([{"),
    rule(r"\s?[)\]}]+(?=\s+\w)", ", ", ")]}"),
    rule(r"[)\]}]+", "", ")]}"),
    rule(r"[|\u2022]|\s*\u2014\s*|\s\u2013\s", ", ", "|\u2022\u2014\u2013"),
    rule(r"\u2013", "-", "\u2013"),
    rule(r"\s-(?=\s|$)|--+", ", ", "-"),
    rule(r"[\"*_#<>~^\\\u2190\u2192]+", " ", '"*_#<>~^\\\u2190\u2192'),
    rule(r"(?<!\w)['-]+|['-]+(?!\w)", " "),
    rule(r"[!?]*\?[!?]*", "?", "?"),
    rule(r"!{2,}", "!", "!"),
    rule(r"\s+", " "),
    rule(r"\.\s?(?=[?!])", "", "?!"),
    rule(r" (?=[,;:!?])", "", ",;:!?"),
    rule(r" (?=[,.;:!?](?:\s|$|[,.;:!?]))", ""),
    rule(r"(?<![,;:])[,;:][,;: ]*(?=[.!?])", ""),
    rule(r"(?<=[.!?])[ ,;:.]*[,;:.](?=[ ,;:.]|$|\w)", ""),
    rule(r"([,;:])[ ,;:]*[,;:]", r"\1"),
    rule(r"^[\s,;:.]+(?=.)", ""),
    rule(r"(?<=[^\W\d])([,;:!?])(?=[^\W\d])", r"\1 ", ",;:!?"),
)
