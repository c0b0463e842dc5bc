"""Signs that have a name in English: `&`, `+`, `=`, `C++`, `#1`, `~5`, `a/b`, `file.py`, `snake_case`."""

import re

from june_tts.text.rules import Rule, apply, rule


def say_symbols(text: str) -> str:
    return apply(_RULES, text)


def _path(found: re.Match[str]) -> str:
    return found[0].strip("/").replace("/", " slash ")


_RULES: tuple[Rule, ...] = (
    rule(r"(?<![\w:;])[:;=]-?[)(DPpO|](?!\w)|(?<!\S)<3(?!\w)", " ", ":;=<"),
    rule(r"\bC\+\+", "C plus plus", "+"),
    rule(r"\b([CF])#", r"\1 sharp", "#"),
    rule(r"\bNo\. (?=\d)|#\s?(?=\d)", "number ", "#N"),
    rule(r"[~\u2248]\s?(?=[$\xa3\u20ac]?\d)", "about ", "~\u2248"),
    rule(r"<=|\u2264", " is at most ", "<\u2264"),
    rule(r">=|\u2265", " is at least ", ">\u2265"),
    rule(r"!=|\u2260", " is not ", "!\u2260"),
    rule(r"(?<!-)-+>|=>|\u2192", " to ", ">\u2192"),
    rule(r"<[-=]+|\u2190", " from ", "<\u2190"),
    rule(r"(?<=\s)<(?=\s?\d)|(?<=\w)<(?=\d)", " less than ", "<"),
    rule(r"(?<=\s)>(?=\s?\d)|(?<=\w)>(?=\d)", " greater than ", ">"),
    rule(r"\s*&+\s*", " and ", "&"),
    rule(r"\s*={1,3}\s*", " equals ", "="),
    rule(r"\xb1", " plus or minus ", "\xb1"),
    rule(r"\+(?=\s*[\w$]|\s*$)|(?<=\d)\+", " plus ", "+"),
    rule(r"(?<=[\w)])\s?[*\xd7]\s?(?=[\d(])|(?<=\d)\s?[*\xd7]\s?(?=\w)", " times ", "*\xd7"),
    rule(r"(?<=[\w)])\s?\xf7\s?(?=[\w(])", " divided by ", "\xf7"),
    rule(r"(?<=[\d)])\s-\s(?=[\d(])", " minus ", "-"),
    rule(r"(?<=\d)\s?/\s?(?=\d)", " over ", "/"),
    rule(r"(?<=\w)\^(?=[\w-])", " to the power of ", "^"),
    rule(r"(?<=\w)\xb2", " squared", "\xb2"),
    rule(r"(?<=\w)\xb3", " cubed", "\xb3"),
    rule(r"\xa9", " copyright ", "\xa9"),
    rule(r"\xa7", " section ", "\xa7"),
    # a path is read out; a single slash is a choice between words
    rule(r"(?<![\w/.-])~?[\w.-]*/(?:[\w.-]*/)+[\w.-]*", _path, "/"),
    rule(r"\s?/\s?", " ", "/"),
    rule(r"@", " at ", "@"),
    rule(r"(?<=[^\W_])_+(?=[^\W_])", " ", "_"),
    # a name with an ending, but not a sentence end whose space was forgotten
    rule(r"(?<=[^\W_])\.(?=[a-z])|(?<=[A-Z])\.(?=[A-Z])|(?<!\S)\.(?=[a-z])", " dot ", "."),
    rule(r"(?<=[a-z])\.(?=[A-Z])", ". ", "."),
)
