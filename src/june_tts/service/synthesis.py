"""The one use case: checked text in, audio chunks out. HTTP, the command line and rooms all call this."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from june_tts.errors import InvalidRequest, NothingToSpeak, Overloaded, RateLimited, VoiceNotFound
from june_tts.ports import Engine
from june_tts.service import request_rules as rules
from june_tts.service.admission import Admission, Place, stopping
from june_tts.service.feeding import asynchronous, told
from june_tts.service.live import Hearing, Kept, LiveText, later
from june_tts.service.metering import Charge, Meter, Unmetered
from june_tts.telemetry.recorder import Recorder, Status
from june_tts.telemetry.tracing import within
from june_tts.text import Growing
from june_tts.types import AudioChunk, Capabilities, Piece, SpeechRequest, Utterance, Voice, Written


class Voices(Protocol):
    """What synthesis asks of the voice library."""

    async def resolve(self, voice_id: str | None) -> Voice: ...

    def engine_for(self, voice: Voice) -> Engine: ...


class Speakable(Protocol):
    """Text to speakable pieces, lazily; see `june_tts.text`."""

    def __call__(
        self, text: str, language: str, *, first_chars: int, piece_chars: int
    ) -> Iterator[Piece]: ...


@dataclass(frozen=True, slots=True)
class Settled:
    """A checked request: who speaks it and how."""

    utterance: Utterance
    engine: Engine
    able: Capabilities


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
        meter: Meter | None = None,
        used: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`used`: told of each utterance in a voice of the engines or of the library, as it begins."""
        self._voices = voices
        self._speakable = speakable
        self._verbatim = verbatim
        self._check_text = check_text
        self._admission = admission
        self._recorder = recorder
        self._max_text_chars = max_text_chars
        self._meter = meter or Unmetered()
        self._used = used

    def limit_text(self, characters: int) -> None:
        """The longest text, from now on."""
        self._max_text_chars = characters

    async def capabilities(self, request: SpeechRequest) -> Capabilities:
        """Of the engine that would speak it. Raises: VoiceNotFound, CannotClone, StoreUnavailable."""
        return self._voices.engine_for(await self._voice(request)).capabilities()

    async def check(self, request: SpeechRequest, longest: int | None = None) -> Voice:
        """Refuse now what `stream` would refuse for what it is, not for want of a place.

        Args:
            longest: text in characters, where it is to be spoken in parts.

        Returns: the voice that would speak it.
        """
        with self._refusals():
            self._check(request.text, len(request.text), longest)
            order = await self._order(request)
            self._pieces(request, order)
        return order.utterance.voice

    async def settle(self, request: SpeechRequest, characters: int) -> Settled:
        """Who would speak a text of so many characters, and how; the text itself is not looked at.

        Raises: as `stream`, for what the request is.
        """
        rules.check_length(characters, self._max_text_chars)
        return await self._order(request)

    async def voiced(self, request: SpeechRequest, characters: int) -> Settled:
        """As `settle`; a voice that nobody has is counted among what was refused, as by `stream`."""
        try:
            return await self.settle(request, characters)
        except VoiceNotFound as unknown:
            self._recorder.refused(unknown.code)
            raise

    async def recall(self, request_id: str, settled: Settled, characters: int, seconds: float) -> None:
        """What was made before is spoken again: it counts and costs as any other, but takes no place.

        Args:
            seconds: of audio.

        Raises:
            Overloaded: the server is stopping.
            RateLimited: the caller has had its share.
        """
        with self._refusals():
            if self._admission.draining:
                raise stopping()
        with await self._charged(characters) as charge:
            charge.spoke(seconds)
        self._recorder.recalled(request_id, settled.utterance.voice.id, characters, seconds)

    async def stream(
        self, request: SpeechRequest, settled: Settled | None = None, *, ongoing: bool = False
    ) -> AsyncGenerator[AudioChunk, None]:
        """Speak. Closing the generator cancels the work at once.

        Args:
            settled: who speaks it, where that is known.
            ongoing: goes on with a turn that was heard in part.

        Raises:
            InvalidRequest: one of its kinds, before the first chunk.
            Overloaded, DeadlineMissed, RateLimited: before the first chunk.
            EngineFailed: at any time.
        """
        with self._refusals():
            self._check(request.text, len(request.text))
            order = settled or await self._order(request)
        length = len(request.text)
        with await self._charged(length) as charge:
            async with self._admission.place(order.engine.name, length, ongoing=ongoing) as place:
                with self._refusals():
                    # not before there is a place: it is half of what a request costs that is sent away
                    pieces = asynchronous(self._pieces(request, order))
                async with aclosing(self._speak(order, place, charge, pieces, lambda: length)) as chunks:
                    async for chunk in chunks:
                        yield chunk

    async def speak(
        self,
        request: SpeechRequest,
        written: AsyncIterable[Written],
        kept: Callable[[SpeechRequest, Settled], Kept] | None = None,
    ) -> AsyncGenerator[AudioChunk, None]:
        """Speak words that are still being written, as one turn; `request.text` is not looked at.

        A piece is spoken as soon as its end is known, all that is there at a `Flush` and at the end. Words
        are read when there is room for them. A turn that rests, flushed and heard, holds no place; what is
        written then is admitted anew. Words without a sound are no error: there is no chunk then.

        Closing the generator cancels the work at once; it does not close `written`.

        Args:
            kept: gives what was said before; a passage that is all there when it begins is looked for in it.

        Raises:
            InvalidRequest: one of its kinds, before the first chunk; TextTooLong when it has become so long.
            Overloaded, DeadlineMissed, RateLimited: where a passage begins.
            EngineFailed: at any time.
        """
        with self._refusals():
            order = await self._order(request)
        hearing = Hearing()
        async with aclosing(LiveText(written, _growing(request, order), self._check, hearing)) as text:
            known = kept(request, order) if kept else None
            while await self._begun(text):
                before = hearing.made
                with self._refusals():
                    found = await text.said_before(known, ongoing=before > 0) if known else None
                async with aclosing(found or self._passage(order, text, ongoing=before > 0)) as passage:
                    with suppress(NothingToSpeak):  # what was found says so, and a turn does not mind
                        async for chunk in passage:
                            hearing.add(chunk)
                            yield later(chunk, before)
                if known and found is None and text.whole:
                    known.said(text.whole)

    async def _begun(self, text: LiveText) -> bool:
        with self._refusals():
            return await text.begun()

    async def _passage(
        self, order: Settled, text: LiveText, *, ongoing: bool
    ) -> AsyncGenerator[AudioChunk, None]:
        # its words are charged when they are known
        with await self._charged(0) as charge:
            async with (
                self._admission.place(order.engine.name, text.untold, ongoing=ongoing) as place,
                aclosing(text.passage()) as pieces,
                aclosing(told(pieces, place)) as fed,
                aclosing(self._speak(order, place, charge, fed, text.wrote, live=True)) as chunks,
            ):
                async for chunk in chunks:
                    yield chunk

    async def _charged(self, characters: int) -> Charge:
        with self._refusals():
            return await self._meter.admit(characters)

    async def _voice(self, request: SpeechRequest) -> Voice:
        if request.references:
            return rules.inline_voice(request)
        with within("voice"):
            return await self._voices.resolve(request.voice_id)

    async def _order(self, request: SpeechRequest) -> Settled:
        rules.check_numbers(request)
        voice = await self._voice(request)
        engine = self._voices.engine_for(voice)
        able = engine.capabilities()
        return Settled(rules.utterance(request, voice, able), engine, able)

    async def _speak(
        self,
        order: Settled,
        place: Place,
        charge: Charge,
        pieces: AsyncIterable[Piece],
        characters: Callable[[], int],
        *,
        live: bool = False,
    ) -> AsyncGenerator[AudioChunk, None]:
        utterance, engine = order.utterance, order.engine
        if not utterance.references:
            self._used(utterance.voice.id)
        watch = self._recorder.begin(
            utterance.request_id, utterance.voice.id, engine.name, None if live else characters()
        )
        status: Status = "cancelled"
        try:
            # aclosing, not a bare `async for`: a client that hangs up must free its place now,
            # not whenever the garbage collector finds the generator
            async with aclosing(watch.spoken(engine.synthesize(utterance, watch.read(pieces)))) as chunks:
                silent = True
                place.asks()
                async for chunk in chunks:
                    silent = False
                    seconds = chunk.samples.size / chunk.sample_rate
                    watch.chunk(seconds)
                    charge.spoke(seconds)
                    place.hears(seconds)
                    yield chunk
                    place.asks()
                    watch.asked()
            if silent and not live:
                raise NothingToSpeak("nothing in the text makes a sound in this voice", param="text")
            status = "success"
        except Exception as error:
            status = "error"
            watch.failed(error)
            raise
        finally:
            if live:
                count = characters()
                self._recorder.wrote(count)
                charge.wrote(count)
            watch.end(status)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Counts what is refused before it costs anything."""
        try:
            yield
        except (InvalidRequest, Overloaded, RateLimited) as refusal:
            self._recorder.refused(refusal.code)
            raise

    def _check(self, text: str, characters: int, longest: int | None = None) -> None:
        rules.check_length(characters, longest or self._max_text_chars)
        self._check_text(text)

    def _pieces(self, request: SpeechRequest, order: Settled) -> Iterator[Piece]:
        cut = self._speakable if request.normalize else self._verbatim
        longest = rules.longest_piece(request, order.able)
        shortest = longest if request.unhurried else order.able.first_piece_chars
        pieces = cut(request.text, order.utterance.language, first_chars=shortest, piece_chars=longest)
        first = next(pieces, None)
        if first is None:
            raise NothingToSpeak(
                "the text has nothing in it that can be spoken: expected words or numbers", param="text"
            )
        return chain((first,), pieces)


def _growing(request: SpeechRequest, order: Settled) -> Growing:
    return Growing(
        order.utterance.language,
        first_chars=order.able.first_piece_chars,
        piece_chars=rules.longest_piece(request, order.able),
        normalize=request.normalize,
    )
