"""How speech becomes the bytes of a reply, by a name that the phrases are kept under."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from june_tts.audio.encode import Encoder, open_encoder
from june_tts.audio.formats import pick_rate
from june_tts.service.rendering import OpenEncoder, render
from june_tts.types import AudioChunk, Format

ANY_RATE = 24_000
"""Stands for the engine's rate where only the asked one is checked."""

Encode = Callable[[AsyncGenerator[AudioChunk, None]], AsyncGenerator[bytes, None]]
"""From speech as it is made to bytes; closing it closes the speech."""


@dataclass(frozen=True, slots=True)
class Coding:
    name: str
    """The same name: the same bytes for the same samples."""
    encode: Encode


def encoded(open_one: OpenEncoder) -> Encode:
    """Speech through an encoder."""

    def encode(chunks: AsyncGenerator[AudioChunk, None]) -> AsyncGenerator[bytes, None]:
        return render(chunks, open_one)

    return encode


def named(format: Format, sample_rate: int | None, bit_rate: int | None, *more: object) -> str:
    """The name of what an encoder does that was opened with these; `more`: what is done besides."""
    return " ".join(map(str, (format, sample_rate, bit_rate, *more)))


def plain_coding(format: Format, sample_rate: int | None, bit_rate: int | None = None) -> Coding:
    """
    Args:
        sample_rate: Hz; None: the engine's own, or the next one that the format has.
        bit_rate: bits per second of a lossy codec; None: the format's.

    Raises:
        InvalidRequest: the format cannot have the sample rate.
    """
    pick_rate(format, ANY_RATE, sample_rate)

    def open_one(source_rate: int) -> Encoder:
        return open_encoder(format, source_rate, sample_rate, bit_rate)

    return Coding(named(format, sample_rate, bit_rate), encoded(open_one))


class Counted:
    """Counts the audio on its way to the encoder."""

    seconds = 0.0

    async def of(self, chunks: AsyncGenerator[AudioChunk, None]) -> AsyncGenerator[AudioChunk, None]:
        async with aclosing(chunks):
            async for chunk in chunks:
                self.seconds += chunk.samples.size / chunk.sample_rate
                yield chunk
