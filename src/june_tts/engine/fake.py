"""An engine without a model: one tone per piece on a schedule, for tests and for `JUNE_ENGINES=fake`;
and a codec without one."""

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from june_tts.engine.recordings import Recordings
from june_tts.engine.timing import Wholes, written_words
from june_tts.errors import EngineFailed
from june_tts.types import AudioChunk, Capabilities, Piece, Repeats, Samples, Utterance, Voice, WordTime

SAMPLE_RATE = 24_000
CHUNK_SECONDS = 0.08
SECONDS_PER_CHARACTER = 0.06
TONE_HZ = 220.0


class FakeEngine:
    """Speaks `SECONDS_PER_CHARACTER` of tone for each character; `step_seconds` is how long a chunk takes."""

    name = "fake"

    def __init__(
        self,
        *,
        step_seconds: float = 0.0,
        fail_at: int | None = None,
        clones: bool = False,
        recordings: Recordings | None = None,
        voices: Sequence[str] = ("fake",),
        repeats: Repeats = "always",
    ) -> None:
        """`recordings`: where those of cloned voices are; each recording has a tone of its own."""
        self._step_seconds = step_seconds
        self._fail_at = fail_at
        self._clones = clones or recordings is not None
        self._recordings = recordings
        self._repeats = repeats
        self._voices = tuple(
            Voice(name, name.title(), "builtin", self.name, ("en-US", "de-DE"), SAMPLE_RATE, "CC0-1.0")
            for name in voices
        )
        self.speaking: set[str] = set()
        """Request ids of the streams that are open."""
        self.spoken: list[tuple[Utterance, str]] = []
        """Every piece that was begun, with its utterance."""

    def capabilities(self) -> Capabilities:
        return Capabilities(
            engine=self.name,
            languages=("en-US", "de-DE"),
            clones=self._clones,
            parameters=frozenset({"temperature", "seed"}),
            first_piece_chars=40,
            piece_chars=200,
            repeats=self._repeats,
            fingerprint="tone",
        )

    def voices(self) -> Sequence[Voice]:
        return self._voices

    @property
    def active(self) -> int:
        return len(self.speaking)

    @property
    def running(self) -> int:
        return len(self.speaking)

    async def start(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to free."""

    async def warm_voice(self, voice_id: str) -> None:
        if self._recordings:
            await self._recordings(voice_id)

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        self.speaking.add(utterance.request_id)
        made, given, wholes = 0, 0, Wholes()
        try:
            higher = await self._higher(utterance)
            async for piece in pieces:
                self.spoken.append((utterance, piece.text))
                words = deque(_times(piece, given / SAMPLE_RATE, utterance.speed, wholes))
                for samples in self._tone(piece.text, utterance, higher):
                    if made == self._fail_at:
                        raise EngineFailed("the fake engine was told to fail")
                    await asyncio.sleep(self._step_seconds)
                    made += 1
                    given += samples.size
                    yield AudioChunk(samples, SAMPLE_RATE, tuple(_heard(words, given / SAMPLE_RATE)))
        finally:
            self.speaking.discard(utterance.request_id)

    async def _higher(self, utterance: Utterance) -> float:
        """By how much a voice is higher than the engine's own, 1 .. 2, told by its recording."""
        if utterance.voice.kind != "cloned" or self._recordings is None:
            return 1.0
        found = utterance.references or await self._recordings(utterance.voice.id)
        return 1.0 + zlib.crc32(found[0].audio) % 1000 / 1000

    def _tone(self, text: str, utterance: Utterance, higher: float) -> list[Samples]:
        total = int(len(text) * SECONDS_PER_CHARACTER * SAMPLE_RATE / utterance.speed)
        pitch = higher * TONE_HZ * (1.0 + (utterance.sampling.seed or 0) % 12 / 12)
        volume = 0.1 * (1.0 + (utterance.sampling.temperature or 0.0))
        tone = volume * np.sin(2 * np.pi * pitch * np.arange(total) / SAMPLE_RATE)
        step = int(CHUNK_SECONDS * SAMPLE_RATE)
        return [tone[at : at + step].astype(np.float32) for at in range(0, total, step)]


def _times(piece: Piece, begin: float, speed: float, wholes: Wholes) -> Iterator[WordTime]:
    """Every character lasts equally long."""
    each = SECONDS_PER_CHARACTER / speed
    for word in written_words(piece):
        yield from wholes.take(word, begin + word.start * each, begin + word.stop * each)


def _heard(words: deque[WordTime], seconds: float) -> Iterator[WordTime]:
    # a piece is cut off within its last sample, and sums of seconds are not exact
    while words and words[0].end <= seconds + 2 / SAMPLE_RATE:
        word = words.popleft()
        yield replace(word, end=min(word.end, seconds))


class FakeCodec:
    """Codes that say how loud each frame is, and a tone of that loudness back."""

    sample_rate = 44_100
    codebooks = 10
    samples_per_frame = 2048

    async def encode(self, samples: Samples) -> NDArray[np.int32]:
        padded = np.pad(samples, (0, -samples.size % self.samples_per_frame))
        loud = np.abs(padded).reshape(-1, self.samples_per_frame).max(axis=1)
        return np.tile((loud.clip(0, 1) * 1023).astype(np.int32), (self.codebooks, 1))

    async def decode(self, codes: NDArray[np.int32]) -> Samples:
        loud = np.repeat(codes[0] / 1023, self.samples_per_frame)
        tone = np.sin(2 * np.pi * TONE_HZ * np.arange(loud.size) / self.sample_rate)
        return (loud * tone).astype(np.float32)
