"""One passage of a job: spoken as a request of its own, joined to its neighbours as the pieces of one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from june_tts.audio.pcm import to_int16
from june_tts.audio.resample import Resampler
from june_tts.audio.seams import Seams
from june_tts.errors import EngineFailed, Overloaded
from june_tts.types import AudioChunk, Pause, Samples, SpeechRequest

QUIET_SECONDS = 300.0
"""For the first chunk, behind everybody who listens, and for each one after it."""
MOST_BYTES = 256 << 20
"""Of a passage: a thousand characters at a quarter of the tempo are 20 MB; an engine that goes on is lost."""


class Speaks(Protocol):
    """What is asked of synthesis."""

    def stream(self, request: SpeechRequest) -> AsyncGenerator[AudioChunk, None]: ...


class Spoken:
    """What is there of a passage: 16 bits, little-endian, at one rate."""

    def __init__(self, speed: float, sample_rate: int | None) -> None:
        """`sample_rate`: Hz that the job's pieces have; None: this is the first one."""
        self._speed = speed
        self._rate = sample_rate
        self._resampler: Resampler | None = None
        self._seams: Seams | None = None
        self.pcm = bytearray()

    @property
    def sample_rate(self) -> int:
        return self._rate or 0

    def add(self, chunk: AudioChunk) -> None:
        if self._resampler is None or self._seams is None:
            self._rate = self._rate or chunk.sample_rate
            self._resampler = Resampler(chunk.sample_rate, self._rate)
            self._seams = Seams(self._rate, self._speed)
        self._keep(self._seams.feed(self._resampler.feed(chunk.samples)))

    def end(self, pause: Pause, *, last: bool) -> None:
        if self._resampler is not None and self._seams is not None:
            self._keep(self._seams.feed(self._resampler.finish()))
            self._keep(self._seams.end_piece(pause, last))

    def _keep(self, samples: Samples) -> None:
        self.pcm += to_int16(samples).astype("<i2", copy=False).tobytes()
        if len(self.pcm) > MOST_BYTES:
            raise EngineFailed("the engine did not come to an end of a passage")


async def spoken(
    synthesizer: Speaks, request: SpeechRequest, pause: Pause, *, last: bool, sample_rate: int | None
) -> Spoken:
    """Speak a passage.

    Raises:
        Overloaded: no place came free in time.
        EngineFailed: the engine went silent, too.
        JuneError: what `stream` raises.
    """
    made = Spoken(request.speed, sample_rate)
    async with aclosing(synthesizer.stream(request)) as chunks:
        begun = False
        while (chunk := await _next(chunks, begun)) is not None:
            begun = True
            made.add(chunk)
    made.end(pause, last=last)
    return made


async def _next(chunks: AsyncGenerator[AudioChunk, None], begun: bool) -> AudioChunk | None:
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            return await anext(chunks, None)
    except TimeoutError:
        if begun:
            raise EngineFailed(f"the engine made nothing for {QUIET_SECONDS:g} s") from None
        raise Overloaded(f"no place came free in {QUIET_SECONDS:g} s", retry_after=1.0) from None
