"""Word times as ElevenLabs' clients read them: a start and an end for every character.

Engines here know words. Within one the characters share its time evenly; a space follows each word, as
clients take a word to be complete when its space has come. What was said in words the caller did not write
(numbers) is one stretch, so the written and the spoken alignment are the same.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass

from june_tts.types import AudioChunk, WordTime


class HeardWords:
    """Listens in on a stream of speech, and keeps the words that were heard until they are taken."""

    def __init__(self) -> None:
        self._heard: list[WordTime] = []

    async def of(self, chunks: AsyncGenerator[AudioChunk, None]) -> AsyncGenerator[AudioChunk, None]:
        """The same chunks. Closing it closes them."""
        async with aclosing(chunks):
            async for chunk in chunks:
                self._heard += chunk.words
                yield chunk

    def take(self) -> tuple[WordTime, ...]:
        """Those that were heard since the last call, in order."""
        heard, self._heard = self._heard, []
        return tuple(heard)


@dataclass(frozen=True, slots=True)
class Characters:
    """Characters, and when each is heard: seconds from the utterance's first sample."""

    chars: tuple[str, ...]
    starts: tuple[float, ...]
    ends: tuple[float, ...]


def characters(words: Iterable[WordTime]) -> Characters | None:
    """None where there are none, which is what clients read as "not known"."""
    timed = [one for word in words if word.text for one in _of(word)]
    if not timed:
        return None
    chars, starts, ends = zip(*timed, strict=True)
    return Characters(chars, starts, ends)


def _of(word: WordTime) -> list[tuple[str, float, float]]:
    share = (word.end - word.start) / len(word.text)
    edges = [word.start + share * at for at in range(len(word.text))] + [word.end]
    inside = list(zip(word.text, edges, edges[1:], strict=False))
    return [*inside, (" ", word.end, word.end)]


def in_seconds(found: Characters | None) -> dict[str, object] | None:
    """For the HTTP routes."""
    if found is None:
        return None
    return {
        "characters": found.chars,
        "character_start_times_seconds": [round(time, 3) for time in found.starts],
        "character_end_times_seconds": [round(time, 3) for time in found.ends],
    }


def in_milliseconds(found: Characters | None, zero: float = 0.0) -> dict[str, object] | None:
    """For the sockets; times count from `zero` seconds."""
    if found is None:
        return None
    starts = [_ms(time - zero) for time in found.starts]
    # of the rounded times, so that the end of one is where the next begins
    durations = [_ms(end - zero) - start for end, start in zip(found.ends, starts, strict=True)]
    return {"chars": found.chars, "charStartTimesMs": starts, "charDurationsMs": durations}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
