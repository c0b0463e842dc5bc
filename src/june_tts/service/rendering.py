"""Audio chunks to bytes on the wire, without holding up the event loop."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from june_tts.audio.encode import Encoder
from june_tts.telemetry.tracing import NO_SPAN, Span, current
from june_tts.types import AudioChunk, Samples

SLICE_SECONDS = 0.5
"""Encoded at a time: MP3 takes about 5 ms for it."""
LIGHT = ("audio/wav", "audio/pcm", "audio/PCM")
"""Formats that cost less than handing them to a thread."""

OpenEncoder = Callable[[int], Encoder]
"""From the source's rate in Hz to an encoder."""


async def render(
    chunks: AsyncGenerator[AudioChunk, None], open_encoder: OpenEncoder
) -> AsyncGenerator[bytes, None]:
    """Encode a stream as it comes. Closing it closes the chunks and the encoder."""
    encoder: Encoder | None = None
    span: Span = NO_SPAN
    busy = 0.0
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                if encoder is None:
                    encoder = open_encoder(chunk.sample_rate)
                    span = current().child("encode", media_type=encoder.media_type)
                for samples in _slices(chunk):
                    began = time.monotonic()
                    data = await _encoded(encoder, samples)
                    busy += time.monotonic() - began
                    if data:
                        yield data
        if encoder is not None and (data := await _finished(encoder)):
            yield data
    finally:
        span.set(busy_seconds=busy)
        span.end()
        if encoder is not None:
            encoder.close()


def _slices(chunk: AudioChunk) -> list[Samples]:
    step = int(SLICE_SECONDS * chunk.sample_rate)
    return [chunk.samples[at : at + step] for at in range(0, chunk.samples.size, step)]


async def _encoded(encoder: Encoder, samples: Samples) -> bytes:
    if encoder.media_type.startswith(LIGHT):
        return encoder.encode(samples)
    return await _in_thread(lambda: encoder.encode(samples))


async def _finished(encoder: Encoder) -> bytes:
    if encoder.media_type.startswith(LIGHT):
        return encoder.finish()
    return await _in_thread(encoder.finish)


async def _in_thread(work: Callable[[], bytes]) -> bytes:
    """Like `asyncio.to_thread`, but a cancelled caller waits the few milliseconds until the work is over:
    the encoder must not be closed while a thread is inside it."""
    running = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
