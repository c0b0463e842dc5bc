"""The server's times of characters, as words with their times."""

from collections.abc import Iterator, Mapping
from typing import Any

from livekit.agents.voice.io import TimedString

_MS = 1000


class Words:
    """Collects the characters of one turn; a word is whole when the space after it, or the end, has come.

    It keeps that space, so that all words together read like the text.
    """

    def __init__(self) -> None:
        self._text = ""
        self._start = 0.0
        self._end = 0.0

    def whole(self, alignment: Mapping[str, Any] | None) -> list[TimedString]:
        """Those that a reply's `alignment` makes whole, in order; none where the server knows no times."""
        return [word for character in _characters(alignment) for word in self._take(*character)]

    def last(self) -> list[TimedString]:
        """What is left when the turn has ended."""
        return [self._give()] if self._text else []

    def _take(self, character: str, start: float, end: float) -> Iterator[TimedString]:
        if character.isspace():
            if self._text:
                self._text += character
                yield self._give()
            return
        if not self._text:
            self._start = start
        self._text += character
        self._end = end

    def _give(self) -> TimedString:
        word = TimedString(self._text, start_time=self._start, end_time=max(self._start, self._end))
        self._text = ""
        return word


def _characters(alignment: Mapping[str, Any] | None) -> Iterator[tuple[str, float, float]]:
    if not alignment:
        return
    times = zip(alignment["charStartTimesMs"], alignment["charDurationsMs"], strict=True)
    for character, (start, duration) in zip(alignment["chars"], times, strict=True):
        yield character, start / _MS, (start + duration) / _MS
