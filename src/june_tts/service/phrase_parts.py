"""Phrases for those who speak turn by turn, in rooms and on sockets: chunks of samples, and their words."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import aclosing
from dataclasses import replace

import msgpack
import numpy as np

from june_tts.audio.pcm import to_int16
from june_tts.errors import JuneError
from june_tts.service.coding import Coding
from june_tts.service.phrase_key import Order, order
from june_tts.service.phrases import Found, Phrases
from june_tts.service.synthesis import Settled, Synthesizer
from june_tts.types import AudioChunk, Samples, SpeechRequest, Voice, WordTime, Written


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
    """What is said in rooms and on sockets: made before and found, or made now, and kept where it may be."""

    def __init__(self, synthesizer: Synthesizer, phrases: Phrases) -> None:
        self._synthesizer = synthesizer
        self._phrases = phrases

    async def check(self, request: SpeechRequest) -> Voice:
        """Raises: as `Synthesizer.check`."""
        return await self._synthesizer.check(request)

    async def stream(self, request: SpeechRequest) -> AsyncGenerator[AudioChunk, None]:
        """Speak; what was made before takes no place. Raises: as `Synthesizer.stream`."""
        async with aclosing(await self.find(request) or self._synthesizer.stream(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    def speak(
        self, request: SpeechRequest, written: AsyncIterable[Written]
    ) -> AsyncGenerator[AudioChunk, None]:
        """Words that are still being written, as `Synthesizer.speak`; what was said before takes no place."""

        def kept(request: SpeechRequest, settled: Settled) -> _Turn:
            return _Turn(self, self._synthesizer, self._phrases, request, settled)

        return self._synthesizer.speak(request, written, kept)

    async def find(
        self, request: SpeechRequest, settled: Settled | None = None, *, ongoing: bool = False
    ) -> AsyncGenerator[AudioChunk, None] | None:
        """Speech that was made before, or that is made now and kept; None where it is neither.

        Args:
            settled: who speaks it, where that is known.
            ongoing: goes on with a turn that was heard in part.

        Raises: as `Phrases.find`; the speech as `Synthesizer.stream`.
        """
        asked = order(request, PARTS.name)
        found = await self._phrases.find(asked, settled)
        if found.phrase is not None:
            return self._recalled(request.request_id, asked, found)
        if found.keep:
            return self._made(found, self._synthesizer.stream(request, settled, ongoing=ongoing))
        return None

    async def _recalled(
        self, request_id: str, asked: Order, found: Found
    ) -> AsyncGenerator[AudioChunk, None]:
        phrase = await self._phrases.recall(request_id, asked, found)
        for chunk in unpacked(phrase.body):
            yield chunk

    async def _made(
        self, found: Found, chunks: AsyncGenerator[AudioChunk, None]
    ) -> AsyncGenerator[AudioChunk, None]:
        async with aclosing(self._phrases.made(found, chunks, PARTS.encode)) as parts:
            async for part in parts:
                for chunk in unpacked(part):
                    yield chunk


class _Turn:
    """See `live.Kept`."""

    def __init__(
        self,
        speech: PartsSpeech,
        synthesizer: Synthesizer,
        phrases: Phrases,
        request: SpeechRequest,
        settled: Settled,
    ) -> None:
        self._speech = speech
        self._synthesizer = synthesizer
        self._removals = phrases.shelf.removals
        self._phrases = phrases
        self._request = request
        self._settled = settled

    def expected(self, text: str) -> bool:
        return self._phrases.expected(self._order(text), self._settled)

    async def find(self, text: str, *, ongoing: bool) -> AsyncGenerator[AudioChunk, None] | None:
        if not await self._voice_stands():
            return None
        return await self._speech.find(replace(self._request, text=text), self._settled, ongoing=ongoing)

    def said(self, text: str) -> None:
        self._phrases.said(self._order(text), self._settled)

    async def _voice_stands(self) -> bool:
        """Whether the turn's voice is the one that it began with: nothing is kept of one that was removed."""
        removals = self._phrases.shelf.removals
        if removals == self._removals:
            return True
        try:
            now = await self._synthesizer.settle(self._request, 0)
        except JuneError:
            return False
        if now.utterance.voice != self._settled.utterance.voice:
            return False
        self._removals = removals
        return True

    def _order(self, text: str) -> Order:
        return order(replace(self._request, text=text), PARTS.name)
