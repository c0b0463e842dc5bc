"""Which pause follows a turn: that of the last piece in it."""

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator

from june_tts.types import Pause, Piece


class Pauses:
    """Hands pieces on as the text that turns are made of, and remembers what follows each."""

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()

    async def texts(self, pieces: AsyncIterable[Piece]) -> AsyncIterator[str]:
        """A paragraph ends its turn, which a newline says."""
        async for piece in pieces:
            self._pieces.append(piece)
            yield piece.text + ("\n" if piece.pause == "paragraph" else "")

    def after(self, turn: str) -> Pause:
        """The pause after a turn, which is made of whole pieces, or of the beginning or the end of one.
        A turn that ends within a piece is followed by none."""
        pause: Pause = "none"
        left = len(turn)
        while left > 0 and (at := self._first_within(turn)) is not None:
            for _ in range(at + 1):  # those before it have nothing to say, and were left out
                piece = self._pieces.popleft()
            left -= len(piece.text)
            pause = piece.pause
        return pause

    def _first_within(self, turn: str) -> int | None:
        texts = [piece.text.strip() for piece in self._pieces]
        return next((at for at, text in enumerate(texts) if text in turn or text.endswith(turn)), None)
