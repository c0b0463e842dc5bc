"""From a request's fields to a response that is speech; shared by every API that answers with audio."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.responses import Response

from june_tts.audio.formats import MEDIA_TYPES
from june_tts.http.audio_response import AudioResponse
from june_tts.http.phrase_response import Recipe, Wrap
from june_tts.http.services import Services
from june_tts.service.coding import Coding, plain_coding
from june_tts.service.phrase_key import order
from june_tts.types import Format, SpeechRequest


@dataclass(frozen=True, slots=True)
class Reply:
    """What speech is answered as."""

    coding: Coding
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    wrap: Wrap | None = None
    """Puts the encoded bytes into what the API has them in; cheap, so it is done anew each time."""


def plain_reply(format: Format, sample_rate: int | None, wrap: Wrap | None = None) -> Reply:
    """Audio in one of the formats; with `wrap`, in events.

    Raises:
        InvalidRequest: the format cannot have the sample rate (Hz).
    """
    coding = plain_coding(format, sample_rate)
    if wrap is not None:
        return Reply(coding, "text/event-stream", wrap=wrap)
    disposition = {"Content-Disposition": f'inline; filename="speech.{format}"'}
    return Reply(coding, MEDIA_TYPES[format], disposition)


async def speech_response(services: Services, request: SpeechRequest, reply: Reply) -> Response:
    """Speech that was made before, at once and whole; else as it is made.

    Raises:
        Overloaded, RateLimited: it was made before, and may not be sent now.
    """
    asked = order(request, reply.coding.name)
    found = await services.phrases.find(asked)
    if found.phrase is not None and found.settled is not None:
        phrase = await services.phrases.recall(request.request_id, asked, found)
        engine = found.settled.able.engine
        recipe = Recipe(asked, engine, reply.media_type, reply.headers, reply.wrap)
        return await recipe.response(phrase, services.stall_seconds)
    audio = services.phrases.made(found, services.synthesizer.stream(request), reply.coding.encode)
    return AudioResponse(
        audio if reply.wrap is None else reply.wrap(audio),
        media_type=reply.media_type,
        stall_seconds=services.stall_seconds,
        headers=reply.headers,
    )
