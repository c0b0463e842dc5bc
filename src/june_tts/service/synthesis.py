"""The one use case: checked text in, audio chunks out. HTTP, the command line and rooms all call this."""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Protocol

from june_tts.errors import InvalidRequest, NothingToSpeak, Overloaded, TextTooLong, UnsupportedParameter
from june_tts.ports import Engine
from june_tts.service.admission import Admission
from june_tts.telemetry.recorder import Recorder, Status
from june_tts.types import AudioChunk, Capabilities, Piece, SpeechRequest, Utterance, Voice

SLOWEST, FASTEST = 0.25, 4.0
SHORTEST_PIECE = 40
"""Characters. Shorter pieces are asked for in vain: they sound torn."""
RANGES = {"temperature": (0.0, 2.0), "top_p": (0.0, 1.0), "repetition_penalty": (0.5, 2.0)}


class Voices(Protocol):
    """What synthesis asks of the voice library."""

    async def resolve(self, voice_id: str | None) -> Voice: ...

    def engine_for(self, voice: Voice) -> Engine: ...


class Speakable(Protocol):
    """Text to speakable pieces, lazily; see `june_tts.text`."""

    def __call__(
        self, text: str, language: str, *, first_chars: int, piece_chars: int
    ) -> Iterator[Piece]: ...


class Synthesizer:
    def __init__(
        self,
        voices: Voices,
        *,
        speakable: Speakable,
        verbatim: Speakable,
        check_text: Callable[[str], None],
        admission: Admission,
        recorder: Recorder,
        max_text_chars: int,
    ) -> None:
        self._voices = voices
        self._speakable = speakable
        self._verbatim = verbatim
        self._check_text = check_text
        self._admission = admission
        self._recorder = recorder
        self._max_text_chars = max_text_chars

    async def capabilities(self, request: SpeechRequest) -> Capabilities:
        """Of the engine that would speak it. Raises: VoiceNotFound, CannotClone, StoreUnavailable."""
        return self._voices.engine_for(await self._voice(request)).capabilities()

    async def stream(self, request: SpeechRequest) -> AsyncGenerator[AudioChunk, None]:
        """Speak. Closing the generator cancels the work at once.

        Raises:
            InvalidRequest: one of its kinds, before the first chunk.
            Overloaded: before the first chunk.
            EngineFailed: at any time.
        """
        try:
            self._check(request)
            voice = await self._voice(request)
            engine = self._voices.engine_for(voice)
            utterance = _utterance(request, voice, engine.capabilities())
            pieces = self._pieces(request, utterance.language, engine.capabilities())
            place = self._admission.place()
        except (InvalidRequest, Overloaded) as refusal:
            self._recorder.refused(refusal.code)
            raise
        with place:
            async with aclosing(self._speak(utterance, pieces, engine, len(request.text))) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def _voice(self, request: SpeechRequest) -> Voice:
        return _inline(request) if request.references else await self._voices.resolve(request.voice_id)

    async def _speak(
        self, utterance: Utterance, pieces: Iterator[Piece], engine: Engine, characters: int
    ) -> AsyncGenerator[AudioChunk, None]:
        watch = self._recorder.begin(utterance.request_id, utterance.voice.id, engine.name, characters)
        status: Status = "cancelled"
        try:
            # aclosing, not a bare `async for`: a client that hangs up must free its place now,
            # not whenever the garbage collector finds the generator
            async with aclosing(engine.synthesize(utterance, _asynchronous(pieces))) as chunks:
                silent = True
                async for chunk in chunks:
                    silent = False
                    watch.chunk(chunk.samples.size / chunk.sample_rate)
                    yield chunk
            if silent:
                raise NothingToSpeak("nothing in the text makes a sound in this voice", param="text")
            status = "success"
        except Exception:
            status = "error"
            raise
        finally:
            watch.end(status)

    def _check(self, request: SpeechRequest) -> None:
        if len(request.text) > self._max_text_chars:
            raise TextTooLong(
                f"the text has {len(request.text)} characters, at most {self._max_text_chars} are accepted",
                param="text",
            )
        self._check_text(request.text)
        _in_range("speed", request.speed, SLOWEST, FASTEST)
        for name, (low, high) in RANGES.items():
            value = getattr(request.sampling, name)
            if value is not None:
                _in_range(name, value, low, high)

    def _pieces(self, request: SpeechRequest, language: str, able: Capabilities) -> Iterator[Piece]:
        cut = self._speakable if request.normalize else self._verbatim
        longest = min(able.piece_chars, max(SHORTEST_PIECE, request.piece_chars or able.piece_chars))
        pieces = cut(request.text, language, first_chars=able.first_piece_chars, piece_chars=longest)
        first = next(pieces, None)
        if first is None:
            raise NothingToSpeak(
                "the text has nothing in it that can be spoken: expected words or numbers", param="text"
            )
        return _before(first, pieces)


def _inline(request: SpeechRequest) -> Voice:
    """The voice of recordings that came with the request; every engine that clones can speak it."""
    return Voice(request.voice_id, "inline", "cloned", None, (), None, "as agreed with the speaker")


def _before(first: Piece, rest: Iterator[Piece]) -> Iterator[Piece]:
    yield first
    yield from rest


async def _asynchronous(pieces: Iterator[Piece]) -> AsyncIterator[Piece]:
    for piece in pieces:
        yield piece


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise InvalidRequest(f"{name} is {value}: expected a number from {low:g} to {high:g}", param=name)


def _utterance(request: SpeechRequest, voice: Voice, able: Capabilities) -> Utterance:
    for name in sorted(request.sampling.given() - able.parameters):
        offered = ", ".join(sorted(able.parameters)) or "none"
        raise UnsupportedParameter(
            f"{name}: the engine {able.engine}, which speaks {voice.id}, has no such parameter "
            f"(it has: {offered})",
            param=name,
        )
    language = _language(request.language, voice, able)
    return Utterance(request.request_id, voice, language, request.speed, request.sampling, request.references)


def _language(asked: str | None, voice: Voice, able: Capabilities) -> str:
    """The voice's own tag that matches: "en" is spoken as "en-US" by a voice that has no other English."""
    spoken = voice.languages or able.languages
    if not asked:
        return spoken[0]
    wanted = asked.replace("_", "-").lower()
    for tag in spoken:
        if tag.lower() == wanted or tag.lower().startswith(f"{wanted}-"):
            return tag
    raise InvalidRequest(
        f"language is {asked[:40]!r}: the voice {voice.id} speaks {', '.join(spoken)}", param="language"
    )
