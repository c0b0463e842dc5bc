"""From a request's fields to a response that is speech; shared by every API that answers with audio."""

from collections.abc import AsyncGenerator

from june_tts.audio.encode import Encoder, open_encoder
from june_tts.audio.formats import MEDIA_TYPES, pick_rate
from june_tts.http.audio_response import AudioResponse
from june_tts.http.services import Services
from june_tts.service.rendering import render
from june_tts.types import Format, SpeechRequest

ANY_RATE = 24_000
"""Stands for the engine's rate where only the asked one is checked."""


def spoken_bytes(
    services: Services, request: SpeechRequest, format: Format, sample_rate: int | None
) -> AsyncGenerator[bytes, None]:
    """The encoded audio as it is made.

    Raises:
        InvalidRequest: at once, where the format cannot have the sample rate (Hz).
    """
    pick_rate(format, ANY_RATE, sample_rate)

    def encoder(source_rate: int) -> Encoder:
        return open_encoder(format, source_rate, sample_rate)

    return render(services.synthesizer.stream(request), encoder)


def speech_response(
    services: Services, request: SpeechRequest, format: Format, sample_rate: int | None
) -> AudioResponse:
    """An audio response in one of the formats."""
    return AudioResponse(
        spoken_bytes(services, request, format, sample_rate),
        media_type=MEDIA_TYPES[format],
        stall_seconds=services.stall_seconds,
        headers={"Content-Disposition": f'inline; filename="speech.{format}"'},
    )
