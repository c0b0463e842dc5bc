"""From a request's fields to a response that is speech; shared by every API that answers with audio."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

from starlette.responses import Response

from june_tts.audio.encode import Encoder, open_encoder
from june_tts.audio.formats import MEDIA_TYPES, pick_rate
from june_tts.http.audio_response import AudioResponse
from june_tts.http.phrase_response import Recipe, Wrap
from june_tts.http.services import Services
from june_tts.service.phrase_key import order
from june_tts.service.phrases import Encode
from june_tts.service.rendering import OpenEncoder, render
from june_tts.types import AudioChunk, Format, SpeechRequest

ANY_RATE = 24_000
"""Stands for the engine's rate where only the asked one is checked."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What speech is answered as."""

    coding: str
    """Names what `encode` does: the same name, the same bytes for the same samples."""
    encode: Encode
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    wrap: Wrap | None = None
    """Puts the encoded bytes into what the API has them in; cheap, so it is done anew each time."""


def encoded(open_encoder: OpenEncoder) -> Encode:
    """Speech through an encoder."""

    def encode(chunks: AsyncGenerator[AudioChunk, None]) -> AsyncGenerator[bytes, None]:
        return render(chunks, open_encoder)

    return encode


def coding(format: Format, sample_rate: int | None, *more: object) -> str:
    """The name of what `open_encoder` does with these."""
    return " ".join(map(str, (format, sample_rate, *more)))


def plain_reply(format: Format, sample_rate: int | None, wrap: Wrap | None = None) -> Reply:
    """Audio in one of the formats; with `wrap`, in events.

    Raises:
        InvalidRequest: the format cannot have the sample rate (Hz).
    """
    pick_rate(format, ANY_RATE, sample_rate)

    def encoder(source_rate: int) -> Encoder:
        return open_encoder(format, source_rate, sample_rate)

    if wrap is not None:
        return Reply(coding(format, sample_rate), encoded(encoder), "text/event-stream", wrap=wrap)
    disposition = {"Content-Disposition": f'inline; filename="speech.{format}"'}
    return Reply(coding(format, sample_rate), encoded(encoder), MEDIA_TYPES[format], disposition)


async def speech_response(services: Services, request: SpeechRequest, reply: Reply) -> Response:
    """Speech that was made before, at once and whole; else as it is made.

    Raises:
        Overloaded, RateLimited: it was made before, and may not be sent now.
    """
    asked = order(request, reply.coding)
    found = await services.phrases.find(asked)
    if found.phrase is not None and found.settled is not None:
        engine = found.settled.able.engine
        phrase = services.phrases.recall(request.request_id, asked, found)
        recipe = Recipe(asked, engine, reply.media_type, reply.headers, services.stall_seconds, reply.wrap)
        return await recipe.response(phrase)
    audio = services.phrases.made(found, services.synthesizer.stream(request), reply.encode)
    return AudioResponse(
        audio if reply.wrap is None else reply.wrap(audio),
        media_type=reply.media_type,
        stall_seconds=services.stall_seconds,
        headers=reply.headers,
    )
