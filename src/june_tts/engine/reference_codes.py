"""Recordings to codes, each encoded once: kept by content, the oldest given up first."""

import asyncio
from collections import OrderedDict
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from june_tts.audio.decode import decode
from june_tts.audio.resample import Resampler
from june_tts.ports import VoiceCodec
from june_tts.types import Samples

Codes = NDArray[np.int32]
"""Shape (codebooks, frames)."""

MAX_SECONDS = 180
"""Of a recording: the published codec's tables end at 190 s."""
KEPT_BYTES = 64 << 20
"""20 s of speech are 17 kB, so that this is some 4,000 voices."""
DECODED_AT_ONCE = 2


class ReferenceCodes:
    def __init__(self, codec: VoiceCodec, kept_bytes: int = KEPT_BYTES) -> None:
        self._codec = codec
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[str, Codes] = OrderedDict()
        self._bytes = 0
        self._under_way: dict[str, asyncio.Task[Codes]] = {}
        self._places = asyncio.Semaphore(DECODED_AT_ONCE)

    async def codes(self, audio: bytes) -> Codes:
        """The codes of a recording in any format that recordings may have, shape (codebooks, frames).

        Two callers with the same recording wait for one encoding.

        Raises:
            InvalidRecording: it cannot be read, or lasts more than MAX_SECONDS.
            EngineFailed: the codec could not encode it.
        """
        # 20 MB take 10 ms, which is no time to spend on the event loop
        key = await asyncio.to_thread(_digest, audio)
        if (found := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return found
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._encode(key, audio))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        # shielded: a caller that hangs up must not take the encoding away from the others
        return await asyncio.shield(task)

    async def _encode(self, key: str, audio: bytes) -> Codes:
        async with self._places:
            samples = await asyncio.to_thread(_samples, audio, self._codec.sample_rate)
        made = await self._codec.encode(samples)
        self._keep(key, made)
        return made

    def _keep(self, key: str, made: Codes) -> None:
        self._kept[key] = made
        self._bytes += made.nbytes
        while self._bytes > self._kept_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.nbytes


def _digest(audio: bytes) -> str:
    return sha256(audio).hexdigest()


def _samples(audio: bytes, sample_rate: int) -> Samples:
    recording = decode(audio, max_seconds=MAX_SECONDS)
    resampler = Resampler(recording.sample_rate, sample_rate)
    return np.concatenate((resampler.feed(recording.samples), resampler.finish()))
