"""Pieces on their way to an engine, which reads them while it speaks."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator

from june_tts.service.admission import Place
from june_tts.types import Piece


async def asynchronous(pieces: Iterator[Piece]) -> AsyncIterator[Piece]:
    for piece in pieces:
        yield piece


async def told(pieces: AsyncIterable[Piece], place: Place) -> AsyncGenerator[Piece, None]:
    """The same; `place` is told when the engine has words and when it waits for the writer."""
    ahead = aiter(pieces)
    while True:
        place.feeds(words=False)
        piece = await anext(ahead, None)
        place.feeds(words=True)
        if piece is None:
            return
        yield piece
