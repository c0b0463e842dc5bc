"""A book in stretches that can be spoken one by one, on different days if need be."""

from dataclasses import dataclass

from june_tts.text.blocks import Border, cut_at
from june_tts.text.tidy import next_sound
from june_tts.types import Pause

PAUSES: dict[Border, Pause] = {
    "paragraph": "paragraph",
    "line": "sentence",
    "sentence": "sentence",
    "clause": "clause",
    "space": "none",
    "hard": "none",
    "end": "none",
}
_BEFORE_SOUND = 32
"""Characters before a word that may belong to it, as in `blocks`."""


@dataclass(frozen=True, slots=True)
class Passage:
    text: str
    stop: int
    """Where the next one begins."""
    pause: Pause
    """After it."""
    last: bool
    """Nothing behind it has a sound."""


def passage(text: str, start: int, longest: int) -> Passage | None:
    """The one that begins at `start`, up to `longest` characters of it; None where nothing more has a sound.

    Cut as `blocks` cuts, at the last border of the best kind: a passage ends with a paragraph or a sentence,
    unless one is longer than that.
    """
    heard = next_sound(text, start)
    if heard >= len(text):
        return None
    # a mark before the first word (a quote, a list's dash) belongs to it
    start = max(start, heard - _BEFORE_SOUND)
    end, stop, border = cut_at(text, start, longest)
    return Passage(text[start:end], stop, PAUSES[border], next_sound(text, stop) >= len(text))
