"""Times of day and spans in English: `3:30 pm`, `15:45`, `9am`, `9:00`, `1:02:03`."""

import re

from june_tts.text.abbreviations import STARTERS
from june_tts.text.rules import Rule, apply, rule
from june_tts.text.spelling import cardinal

# its last stop also ends the sentence where a new one follows
_STOP = rf"(?:\.(?!\s+(?:{STARTERS})\b|\s*$))?"
_HALF = rf"(?:\s?([AaPp])\.?\s?[Mm]\b{_STOP})"
_CLOCK = r"([01]?\d|2[0-4]):([0-5]\d)"


def say_times(text: str) -> str:
    return apply(_RULES, text)


def _clock(hour: str, minute: str, half: str | None) -> str:
    spoken_half = f" {half.upper()}M" if half else ""
    hours = cardinal(str(int(hour)))
    if minute != "00":
        minutes = f"oh {cardinal(minute[1])}" if minute[0] == "0" else cardinal(minute)
        return f"{hours} {minutes}{spoken_half}"
    if half:
        return hours + spoken_half
    if int(hour) == 0:
        return "midnight"
    return f"{hours} o'clock" if int(hour) <= 12 else f"{hours} hundred hours"


def _span(found: re.Match[str]) -> str:
    parts = [(int(found[i] or 0), unit) for i, unit in ((1, "hour"), (2, "minute"), (3, "second"))]
    said = [f"{cardinal(str(n))} {unit}{'' if n == 1 else 's'}" for n, unit in parts if n]
    return " ".join(said) or "zero seconds"


def _between(found: re.Match[str]) -> str:
    half = found[3] or found[6]
    start = _clock(found[1], found[2] or "00", half if found[3] or not found[2] else None)
    if not found[3] and not found[2]:
        start = cardinal(str(int(found[1])))
    return f"{start} to {_clock(found[4], found[5] or '00', found[6])}"


_RULES: tuple[Rule, ...] = (
    # 9-5pm, 9am - 5:30pm
    rule(
        rf"(?<![\w:.,$-])(1[0-2]|0?[1-9])(?::([0-5]\d))?{_HALF}?\s?[-\u2013]\s?"
        rf"(1[0-2]|0?[1-9])(?::([0-5]\d))?{_HALF}",
        _between,
        "-\u2013",
    ),
    rule(
        rf"(?<![\w:.,]){_CLOCK}\s?[-\u2013]\s?(?=\d?\d:\d\d)",
        lambda m: _clock(m[1], m[2], None) + " to ",
        ":",
    ),
    rule(r"(?<![\w:.,])(\d{1,2}):([0-5]\d):([0-5]\d)(?:\.0+)?Z?(?![\w:])", _span, ":"),
    rule(r"(?<![\w:.,])(\d{1,2})h\s?([0-5]?\d)m?(?:in)?(?:\s?([0-5]?\d)s)?\b", _span, "h"),
    rule(r"(?<![\w:.,])()([0-5]?\d)m(?:in)?\s?([0-5]?\d)s\b", _span, "m"),
    rule(rf"(?<![\w:.,]){_CLOCK}{_HALF}", lambda m: _clock(m[1], m[2], m[3]), ":"),
    rule(rf"(?<![\w:.,$])(1[0-2]|0?[1-9]){_HALF}", lambda m: _clock(m[1], "00", m[2]), "mM"),
    rule(rf"(?<![\w:.,]){_CLOCK}(?![:\w]|\.\d)", lambda m: _clock(m[1], m[2], None), ":"),
    rule(r"(?<![\w:.,])(\d{1,4}):(\d{1,4})(?![:\w]|\.\d)", lambda m: f"{m[1]} to {m[2]}", ":"),
    rule(rf"\b([ap])\.\s?m\b{_STOP}", lambda m: f"{m[1].upper()}M", "."),
)
