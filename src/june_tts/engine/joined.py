"""Turns pieces into steps: one model run after another, joined by natural pauses."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator

from june_tts.audio.seams import Seams
from june_tts.engine.lanes import Lanes
from june_tts.engine.onnx import Run
from june_tts.engine.schedule import WAITING, Step, Ticket
from june_tts.engine.stream import Inbox, stream
from june_tts.types import AudioChunk, Pause, Piece, Samples

Speak = Callable[[str, Ticket], Iterator[Samples | None]]
"""From a piece's text to its audio, bit by bit; None marks a good moment to let another stream run."""


def spoken(
    lanes: Lanes,
    run: Run,
    speak: Speak,
    pieces: AsyncIterable[Piece],
    *,
    sample_rate: int,
    speed: float,
) -> AsyncGenerator[AudioChunk, None]:
    """Speak the pieces on the lanes as one utterance. Closing it ends the model run under way."""
    seams = Seams(sample_rate, speed=speed)

    def steps(inbox: Inbox, ticket: Ticket) -> Iterator[Step]:
        return joined(inbox, lambda text: speak(text, ticket), seams)

    return stream(lanes, steps, pieces, sample_rate=sample_rate, interrupt=run.interrupt)


def joined(inbox: Inbox, speak: Callable[[str], Iterator[Samples | None]], seams: Seams) -> Iterator[Step]:
    """The steps of one utterance. Runs on a lane thread."""
    pause: Pause | None = None
    while True:
        # read before `take`: text that comes between the two must not be taken for the end
        ended = inbox.ended
        piece = inbox.take()
        if piece is None:
            if ended:
                break
            yield WAITING
            continue
        if pause is not None:
            yield seams.end_piece(pause)
        for samples in speak(piece.text):
            yield None if samples is None else seams.feed(samples)
        pause = piece.pause
    if pause is not None:
        yield seams.end_piece("none", last=True)
