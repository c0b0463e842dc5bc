"""Engines that another process has: what every web worker speaks with where there are several.

They are what `ports` asks for, one for each engine of the host. See docs/decisions/workers.md.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from june_tts.engine.host_frames import spoken_like
from june_tts.engine.host_link import HostCall, HostLink
from june_tts.engine.host_messages import (
    AllWritten,
    Array,
    Chunk,
    Coded,
    Decode,
    Done,
    Encode,
    EngineState,
    Sounded,
    Speak,
    ToHost,
    Took,
    Written,
)
from june_tts.errors import EngineFailed
from june_tts.ports import VoiceCodec
from june_tts.telemetry.tracing import current
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


class HostedEngine:
    """`ports.Engine` and `ports.Supervised`. The link is the caller's: it is started before, closed after."""

    def __init__(self, name: str, link: HostLink) -> None:
        self.name = name
        self._link = link

    @property
    def _state(self) -> EngineState:
        return self._link.states[self.name]

    @property
    def active(self) -> int:
        """Of all workers together, a quarter of a second old at most."""
        return self._state.active

    @property
    def running(self) -> int:
        return self._state.running

    @property
    def health(self) -> EngineHealth:
        link, told = self._link, self._state.health
        restarts, device = (told.restarts, told.device) if told else (0, "")
        if not link.connected:
            return EngineHealth("restarting", link.since, link.restarts + restarts, device)
        return told or EngineHealth("ready", link.since, link.restarts, device)

    @property
    def counts(self) -> EngineCounts:
        return self._state.counts or EngineCounts(restarts=self._link.restarts)

    def capabilities(self) -> Capabilities:
        return self._state.able

    def voices(self) -> Sequence[Voice]:
        """Also while the host is being started again: the next request waits for it."""
        return self._state.voices

    async def start(self) -> None:
        """Nothing to load: the host has."""

    async def close(self) -> None:
        """Nothing to free."""

    async def synthesize(
        self, utterance: Utterance, pieces: AsyncIterable[Piece]
    ) -> AsyncGenerator[AudioChunk, None]:
        bare, sizes, recordings = spoken_like(utterance)
        span = current()
        call = await self._link.begin(
            lambda id: Speak(id, self.name, bare, sizes, span.context, span.recording), recordings
        )
        if span.recording:
            self._link.record(call, span)
        feeding = asyncio.create_task(_feed(call, pieces))
        try:
            while not isinstance((answer := await call.next())[0], Done):
                message, samples = answer
                if not isinstance(message, Chunk):
                    raise EngineFailed("the engine answered with something else than audio")
                yield AudioChunk(samples, message.sample_rate, message.words)
                call.send(Took(call.id))
        finally:
            self._link.finish(call)
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)


async def _feed(call: HostCall, pieces: AsyncIterable[Piece]) -> None:
    """Hand on pieces as they are wanted. What their writer raises is raised where the audio is read."""
    try:
        reading = aiter(pieces)
        while True:
            await call.wanted.acquire()
            if (piece := await anext(reading, None)) is None:
                break
            call.send(Written(call.id, piece))
    except Exception as error:  # noqa: BLE001  the reader of the audio is told, whatever the writer raised
        call.unwritten = error
    call.send(AllWritten(call.id, failed=call.unwritten is not None))


class _Tells(HostedEngine):
    """One that knows better than its readers whether it is at work: `ports.TellsProgress`."""

    @property
    def idle_since(self) -> float | None:
        """See `ports.TellsProgress`; also where the host itself says nothing any more."""
        both = (self._state.idle_since, self._link.silent_since)
        return min((at for at in both if at is not None), default=None)


class _SpeaksInCodes(HostedEngine):
    """One that speaks in codes, too."""

    def __init__(self, name: str, link: HostLink) -> None:
        super().__init__(name, link)
        self.codec: VoiceCodec = HostedCodec(name, link)


class _SpeaksInCodesAndTells(_SpeaksInCodes, _Tells):
    pass


_KINDS = {
    (False, False): HostedEngine,
    (False, True): _Tells,
    (True, False): _SpeaksInCodes,
    (True, True): _SpeaksInCodesAndTells,
}
"""By whether it speaks in codes, and whether it tells of its progress."""


class HostedCodec:
    """`ports.VoiceCodec` of an engine of the host."""

    def __init__(self, engine: str, link: HostLink) -> None:
        self._engine = engine
        self._link = link
        state = link.states[engine]
        self.sample_rate, self.codebooks = state.codec_rate, state.codebooks

    async def encode(self, samples: Samples) -> NDArray[np.int32]:
        sent = np.ascontiguousarray(samples, np.float32)
        return await self._ask(lambda id: Encode(id, self._engine), sent, Coded)

    async def decode(self, codes: NDArray[np.int32]) -> Samples:
        sent = np.ascontiguousarray(codes, np.int32)
        return await self._ask(lambda id: Decode(id, self._engine), sent, Sounded)

    async def _ask(self, message: Callable[[int], ToHost], array: Array, wanted: type) -> Array:
        call = await self._link.begin(message, array)
        seconds = self._link.patience.answer
        try:
            async with asyncio.timeout(seconds):
                await self._link.drained()
                answer, made = await call.next()
        except TimeoutError:
            raise EngineFailed(f"the engine gave no answer in {seconds:g} s") from None
        finally:
            self._link.finish(call)
        if not isinstance(answer, wanted):
            raise EngineFailed("the engine answered with something else than what was asked for")
        return made


def hosted_engines(link: HostLink) -> list[HostedEngine]:
    """One for each engine of the host, in its order. The link must have been started."""
    return [
        _KINDS[state.codec_rate > 0, state.tells_progress](name, link) for name, state in link.states.items()
    ]
