"""A job's pieces to its result: encoded from the beginning in one go, in blocks of one size."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import numpy as np

from june_tts.audio.encode import Encoder, open_encoder
from june_tts.audio.pcm import FULL_SCALE
from june_tts.audio.whole import state_length
from june_tts.jobs import BLOCK_BYTES, Job
from june_tts.service.rendering import render
from june_tts.types import AudioChunk

_SLICE_SECONDS = 1.0
"""Between two looks at the event loop: resampling it for `wav` takes 2 ms."""
_UNIT = np.float32(1 / FULL_SCALE)

Piece = Callable[[int], Awaitable[bytes]]
Keep = Callable[[int, bytes], Awaitable[None]]


class Result:
    """What is left when all other blocks are kept."""

    def __init__(self) -> None:
        self.first = bytearray()
        self.blocks = 0
        self.audio_bytes = 0


async def encoded(job: Job, piece: Piece, keep: Keep) -> Result:
    """Encode all pieces. The first block is kept last, by whoever called: its header states the length.

    The same pieces give the same bytes, so that a try that was broken off leaves nothing wrong behind.

    Args:
        piece: the samples of a piece by its number.
        keep: a block of BLOCK_BYTES or, at the end, fewer, and its number.
    """
    result, block, rate = Result(), bytearray(), 0

    def encoder(source_rate: int) -> Encoder:
        nonlocal rate
        opened = open_encoder(job.format, source_rate, job.sample_rate)
        rate = opened.sample_rate
        return opened

    async def keep_block(data: bytes) -> None:
        if result.blocks:
            await keep(result.blocks, data)
        else:
            result.first = bytearray(data)
        result.blocks += 1
        result.audio_bytes += len(data)

    async with aclosing(render(_chunks(job, piece), encoder)) as parts:
        async for part in parts:
            block += part
            while len(block) >= BLOCK_BYTES:
                await keep_block(bytes(block[:BLOCK_BYTES]))
                del block[:BLOCK_BYTES]
    if block:
        await keep_block(bytes(block))
    samples = job.samples if rate == job.piece_rate else None
    state_length(job.format, result.first, result.audio_bytes, samples)
    return result


async def _chunks(job: Job, piece: Piece) -> AsyncGenerator[AudioChunk, None]:
    rate = job.piece_rate or 0
    step = 2 * int(_SLICE_SECONDS * rate)
    for number in range(job.pieces):
        pcm = await piece(number)
        for at in range(0, len(pcm), step):
            await asyncio.sleep(0)
            samples = np.frombuffer(pcm[at : at + step], "<i2").astype(np.float32) * _UNIT
            yield AudioChunk(samples, rate)
