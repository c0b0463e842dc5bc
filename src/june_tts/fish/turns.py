"""Long text as turns that fit the context, each in the voice and at the pace of the one before. No torch.

A turn's prompt is [voice …, the turn before with what was made of it] and the text. Without a voice, the
first turns take its place, or the voice would wander over a chapter (docs/decisions/fish-long-text.md).
"""

import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from june_tts.errors import InvalidRequest
from june_tts.fish.ahead import AHEAD, Ahead
from june_tts.fish.prompt import Prompt, Reference, build
from june_tts.fish.sequence import Codes, SamplingParams, Stop
from june_tts.fish.spoken import cut, fits, frames_for, from_speech, joined, natural_cut
from june_tts.fish.tokenizer import Tokenizer

TURN_LETTERS = 200
"""13 s of speech; the length the Fish tools have always cut texts to by default (`chunk_length`)."""
FIRST_LETTERS = 80
"""Of the first turn, where a sentence or a clause ends so early: the time to first audio must depend neither
on the length of the text nor, where it is still being written, on the second sentence."""
LEAST_LETTERS = 20
"""A turn is not made shorter than this to fit the context: what follows would be words, not phrases."""
ALLOWANCE = 3
"""Frames a turn may take, in times of the estimate. Past 5 letters a second it is not speech but a loop."""
ALLOWANCE_EDGE = 22
"""And so many more, one second, since a single word can be drawn out."""
PLAUSIBLE = (1 / 3, 2.0)
"""A turn whose frames are fewer or more, in times of the estimate, lacks words or has stammered. It is never
an example for the next: one slip would be heard for the rest of the chapter."""
ANCHOR_FRAMES = 215
"""10 s of the first turns stand for the voice where none was given, as long as a recommended recording."""

_PARAGRAPH = re.compile(r"(?<=\n)[^\S\n]*\n")


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """What is spoken in one go."""

    index: int
    """0 for the first."""
    text: str
    prompt: Prompt
    max_frames: int
    """More would be a loop, or would not fit the context."""

    def sampling(self, asked: SamplingParams) -> SamplingParams:
        """How this turn is drawn: never endlessly, with a seed of its own, the first with the request's."""
        most = min(asked.max_frames, self.max_frames)
        seed = (asked.seed + self.index) % (1 << 63)
        return replace(asked, seed=seed, max_frames=most, min_frames=min(asked.min_frames, most))


class Turns:
    """The turns of one request: `add` text, take the `next` turn, tell what was `made` of it.

    What it holds does not grow with what was spoken: the voice or some turns of its first seconds, one turn,
    and the text that is not spoken yet.
    """

    def __init__(
        self, tokenizer: Tokenizer, voice: Sequence[Reference], positions: int, codebooks: int = 10
    ) -> None:
        """`positions`: of a KV slot, prompt and frames together."""
        self._tokenizer = tokenizer
        self._positions = positions
        self._codebooks = codebooks
        self._voice = tuple(voice)
        self._anchor: tuple[Reference, ...] = ()
        self._before: tuple[Reference, ...] = ()
        self._pieces: deque[str] = deque()
        self._count = 0

    async def read(self, pieces: AsyncIterable[str]) -> AsyncGenerator[Turn, None]:
        """The turns of a text that may still be being written. Call `made` before asking for the next.

        Pieces that are there together are spoken together. It waits for text only where it has none, and a
        piece that ends with a newline ends its turn.

        Raises: as `next`, and what the source raises.
        """
        ahead = Ahead(pieces)
        try:
            while True:
                for piece in await self._more(ahead):
                    self.add(piece)
                if turn := self.next():
                    yield turn
                elif ahead.ended:
                    return
        finally:
            await ahead.close()

    def add(self, text: str) -> None:
        """More to speak: a sentence, or a whole book. Blank lines in it end turns."""
        self._pieces.extend(piece for piece in map(from_speech, _PARAGRAPH.split(text)) if piece)

    def next(self) -> Turn | None:
        """The next turn; None where no text is left.

        Raises:
            InvalidRequest: the voice leaves no room in the context, or its codes are illegal.
        """
        if not self._pieces:
            return None
        limit = self._first_limit() if not self._count else TURN_LETTERS
        while limit >= LEAST_LETTERS:
            if turn := self._fitting(limit):
                return turn
            limit //= 2
        raise self._no_room()

    def made(self, turn: Turn, codes: Codes, stop: Stop) -> None:
        """What a turn has become, codes of shape (codebooks, frames) without the column of `<|im_end|>`.

        It is the next turn's example if it is whole. It is never trimmed: nothing says which of its words the
        frames of a tail belong to, and a transcript that says more or less than its audio makes the model
        skip words or repeat them. If it is not whole, the example before it stays.
        """
        least, most = (share * frames_for(turn.text) for share in PLAUSIBLE)
        if stop is not Stop.END or not least <= codes.shape[1] <= most:
            return
        reference = Reference(turn.text, np.array(codes, np.int32))
        if not self._voice and sum(kept.codes.shape[1] for kept in self._anchor) < ANCHOR_FRAMES:
            self._anchor += (reference,)
        else:
            self._before = (reference,)

    async def _more(self, ahead: Ahead) -> list[str]:
        if not self._pieces:
            return await ahead.some()
        # no more than that, or a source that is quicker than speech would pile up here
        return ahead.here() if len(self._pieces) < AHEAD else []

    def _first_limit(self) -> int:
        """Short where the text lets it: a cut within a phrase would be heard as its end."""
        return FIRST_LETTERS if natural_cut(self._pieces[0], FIRST_LETTERS) else TURN_LETTERS

    def _fitting(self, limit: int) -> Turn | None:
        """The next turn, of `limit` letters at most, if it fits the context."""
        text, pieces, rest = self._take(limit)
        allowance = ALLOWANCE * frames_for(text) + ALLOWANCE_EDGE
        for references in self._contexts():
            prompt = build(self._tokenizer, text, references, self._codebooks, shared=len(self._voice))
            if prompt.columns.shape[1] + allowance <= self._positions:
                self._drop(pieces, rest)
                self._count += 1
                return Turn(self._count - 1, text, prompt, allowance)
        return None

    def _contexts(self) -> list[tuple[Reference, ...]]:
        """What the turn is conditioned on, the best first."""
        voice = self._voice + self._anchor
        least = self._voice or self._anchor[:1]
        return [
            voice + self._before,
            *([voice] if self._before else []),
            *([least] if least != voice else []),
        ]

    def _take(self, limit: int) -> tuple[str, int, str]:
        """The next turn's text, how many pieces it is made of, and what it leaves of the last."""
        first = self._pieces[0]
        at = cut(first, limit)
        if at < len(first):
            return first[:at].strip(), 1, first[at:]
        text, count = first.strip(), 1
        for before, piece in pairwise(self._pieces):
            longer = joined(text, piece.strip())
            if before.endswith("\n") or not fits(longer, limit):
                break
            text, count = longer, count + 1
        return text, count, ""

    def _drop(self, pieces: int, rest: str) -> None:
        for _ in range(pieces):
            self._pieces.popleft()
        if rest := from_speech(rest):
            self._pieces.appendleft(rest)

    def _no_room(self) -> InvalidRequest:
        taken = build(self._tokenizer, "", self._contexts()[-1], self._codebooks).columns.shape[1]
        return InvalidRequest(
            f"the voice takes {taken} of {self._positions} positions, expected room for a turn of "
            f"{LEAST_LETTERS} letters: use a shorter recording",
            param="references",
        )
