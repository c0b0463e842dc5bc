"""Voices for the Fish engine: a recording's words and codes, and the codec that makes them."""

import asyncio
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from june_tts.errors import ModelUnavailable
from june_tts.fish.handle import Handle
from june_tts.models.fingerprint import fingerprint
from june_tts.types import InlineReference, Samples

WORDS_AND_CODES = tuple[str, NDArray[np.int32]]
"""What is said, "" where nobody knows, and the codes of it, shape (codebooks, frames)."""


class VoicePrompts(Protocol):
    """Where the engine finds what a voice sounds like.

    Both raise InvalidRecording for what cannot be read, EngineFailed where the codec failed.
    """

    async def prompt(self, voice_id: str) -> WORDS_AND_CODES:
        """Of a voice of the library. Raises: VoiceNotFound, StoreUnavailable."""
        ...

    async def inline(self, given: InlineReference) -> WORDS_AND_CODES:
        """Of a recording that came with a request."""
        ...

    async def close(self) -> None:
        """Stop whatever is being encoded."""
        ...


class EngineCodec:
    """`ports.VoiceCodec` over the engine's process. `sample_rate` and `codebooks` are those of the published
    codec until the engine has started and knows its own."""

    sample_rate = 44_100
    codebooks = 10
    fingerprint = ""
    """Names the codec's weights: codes of another one mean other sounds. Empty before the start."""

    def __init__(self, handle: Handle, path: Path) -> None:
        self._handle = handle
        self.path = path

    async def started(self) -> None:
        """Take over what the process has loaded. Raises: ModelUnavailable."""
        info = self._handle.info
        if info is None or not info.sample_rate:
            raise ModelUnavailable("the engine fish runs without a codec: it could not be heard")
        self.sample_rate, self.codebooks = info.sample_rate, info.codebooks
        self.fingerprint = await asyncio.to_thread(fingerprint, self.path)

    async def encode(self, samples: Samples) -> NDArray[np.int32]:
        return await self._handle.encode(samples)

    async def decode(self, codes: NDArray[np.int32]) -> Samples:
        return await self._handle.decode(codes)
