"""Word times as Fish's clients read them: snapshots of one sentence after the other."""

from collections.abc import Iterator, Sequence
from typing import Any

from june_tts.types import WordTime

SENTENCE_ENDS = tuple(".!?\u2026\u3002\uff01\uff1f")
_CLOSING = "\"')]*_\u201d\u2019\xbb\u300d\u300f\uff09"
MOST_WORDS = 60
"""Of a sentence without an end: each event repeats the words of its sentence so far."""


class Sentences:
    """Events of one stream.

    An event's alignment is all that is known of its sentence (`chunk_seq`), and takes the place of the one
    before; its times count from the sentence's offset.
    """

    def __init__(self) -> None:
        self._number = 0
        self._offset = 0.0
        """Seconds, where the sentence begins."""
        self._words: list[WordTime] = []

    def events(self, audio: str, words: Sequence[WordTime], seconds: float) -> Iterator[dict[str, Any]]:
        """One or, where more sentences end here, some: the audio is in the first.

        Args:
            audio: encoded, in base64.
            words: that have ended since the last call.
            seconds: audio that has been made, from the first sample on.
        """
        for word in words:
            self._words.append(word)
            if len(self._words) >= MOST_WORDS or word.text.rstrip(_CLOSING).endswith(SENTENCE_ENDS):
                yield self._event(audio, word.end)
                audio = ""
                self._number, self._offset, self._words = self._number + 1, word.end, []
        if audio or (words and self._words):
            yield self._event(audio, seconds)

    def _event(self, audio: str, seconds: float) -> dict[str, Any]:
        return {
            "audio_base64": audio,
            "content": " ".join(word.text for word in self._words),
            "chunk_seq": self._number,
            "chunk_audio_offset_sec": _rounded(self._offset),
            "alignment": self._alignment(seconds) if self._words else None,
        }

    def _alignment(self, seconds: float) -> dict[str, Any]:
        return {
            "audio_duration": _rounded(seconds - self._offset),
            "segments": [
                {
                    "text": word.text,
                    "start": _rounded(word.start - self._offset),
                    "end": _rounded(word.end - self._offset),
                }
                for word in self._words
            ],
        }


def _rounded(seconds: float) -> float:
    """To a tenth of a millisecond."""
    return round(max(0.0, seconds), 4)
