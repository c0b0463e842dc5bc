"""Engines, and what some of them can do besides."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from june_tts.types import (
    AudioChunk,
    Capabilities,
    EngineCounts,
    EngineHealth,
    Piece,
    Samples,
    Utterance,
    Voice,
)


class Engine(Protocol):
    """Makes speech. `start` before the first use, `close` after the last; both are called once."""

    name: str

    @property
    def active(self) -> int:
        """Streams that have begun and not ended."""
        ...

    @property
    def running(self) -> int:
        """Model runs under way at this moment."""
        ...

    def capabilities(self) -> Capabilities: ...

    def voices(self) -> Sequence[Voice]:
        """The built-in voices that can be spoken now. May change while running; never blocks."""
        ...

    async def start(self) -> None:
        """Load and warm up.

        Raises:
            ModelUnavailable: a model file is missing or damaged.
        """
        ...

    async def close(self) -> None:
        """Stop every stream and free everything."""
        ...

    def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        """Stream the pieces as one utterance, in order.

        Closing the generator cancels the work and frees its place at once. `pieces` is read only a little
        ahead of what has been spoken, so it may be endless, and may wait for text still being written.

        Raises:
            EngineFailed: at any time; no chunk follows.
        """
        ...


@runtime_checkable
class Supervised(Protocol):
    """An engine whose model runs in a process of its own, and may be away for a while."""

    @property
    def health(self) -> EngineHealth: ...

    @property
    def counts(self) -> EngineCounts: ...


@runtime_checkable
class TellsProgress(Protocol):
    """An engine that knows better than its readers whether it is at work."""

    @property
    def idle_since(self) -> float | None:
        """Since when, by `time.monotonic()`, there is something to do and nothing is done; None while there
        is nothing to do, or readers who take nothing hold it up.
        """
        ...


@runtime_checkable
class SpeaksInCodes(Protocol):
    """An engine that turns recordings into codes and codes into speech, also for others."""

    codec: "VoiceCodec"


@runtime_checkable
class WarmsVoices(Protocol):
    """An engine that can have ready what it needs of a voice before anyone asks for it."""

    async def warm_voice(self, voice_id: str) -> None:
        """Of the library. Raises: JuneError."""
        ...


class VoiceCodec(Protocol):
    """Recordings to codes and back, for engines that speak in codes. Both calls may raise EngineFailed."""

    sample_rate: int
    """Hz, of samples both ways."""
    codebooks: int

    async def encode(self, samples: Samples) -> NDArray[np.int32]:
        """Codes of a recording, shape (codebooks, frames)."""
        ...

    async def decode(self, codes: NDArray[np.int32]) -> Samples:
        """The samples of codes of that shape. A code beyond its codebook's end is the last one there."""
        ...
