"""Phrases for those who play them and send nothing on: chunks of samples, and the words that go with them."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

import msgpack
import numpy as np

from june_tts.audio.pcm import to_int16
from june_tts.service.coding import Coding
from june_tts.service.phrase_key import order
from june_tts.service.phrases import Phrases
from june_tts.service.synthesis import Synthesizer
from june_tts.types import AudioChunk, Samples, SpeechRequest, Voice, WordTime


async def _packed(chunks: AsyncGenerator[AudioChunk, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(chunks):
        async for chunk in chunks:
            words = [(word.text, word.start, word.end) for word in chunk.words]
            # 16 bits are what a room plays, and half of what the engine has
            yield msgpack.packb((chunk.sample_rate, to_int16(chunk.samples).tobytes(), words))


PARTS = Coding("parts", _packed)


def unpacked(body: bytes) -> Iterator[AudioChunk]:
    """The chunks of what `PARTS` has made, or of the beginning of it."""
    parts = msgpack.Unpacker(max_buffer_size=len(body))
    parts.feed(body)
    for rate, pcm, words in parts:
        yield AudioChunk(_samples(pcm), rate, tuple(WordTime(*word) for word in words))


def _samples(pcm: bytes) -> Samples:
    return np.frombuffer(pcm, np.int16).astype(np.float32) / np.float32(32768)


class PartsSpeech:
    """What is said in rooms: made before and found, or made now, and kept where it may be."""

    def __init__(self, synthesizer: Synthesizer, phrases: Phrases) -> None:
        self._synthesizer = synthesizer
        self._phrases = phrases

    async def check(self, request: SpeechRequest) -> Voice:
        """Raises: as `Synthesizer.check`."""
        return await self._synthesizer.check(request)

    async def stream(self, request: SpeechRequest) -> AsyncGenerator[AudioChunk, None]:
        """Speak; what was made before takes no place. Raises: as `Synthesizer.stream`."""
        asked = order(request, PARTS.name)
        found = await self._phrases.find(asked)
        if found.phrase is not None:
            phrase = await self._phrases.recall(request.request_id, asked, found)
            for chunk in unpacked(phrase.body):
                yield chunk
            return
        chunks = self._synthesizer.stream(request)
        if not found.keep:
            async with aclosing(chunks):
                async for chunk in chunks:
                    yield chunk
            return
        async with aclosing(self._phrases.made(found, chunks, PARTS.encode)) as parts:
            async for part in parts:
                for chunk in unpacked(part):
                    yield chunk
