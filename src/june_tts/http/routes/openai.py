"""OpenAI's speech API: `/v1/audio/speech`, `/v1/models`."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from june_tts.errors import UnsupportedParameter, shown
from june_tts.http.errors import ModelNotFound
from june_tts.http.models import check_model
from june_tts.http.routes.docs import AUDIO_REPLY, SPEECH, openai_refusals
from june_tts.http.routes.elevenlabs_voices import elevenlabs_models
from june_tts.http.services import Services, request_id, services
from june_tts.http.speech import plain_reply, speech_response
from june_tts.http.sse import speech_events
from june_tts.types import Format, SpeechRequest

router = APIRouter(prefix="/v1", tags=["OpenAI"])

PCM_RATE = 24_000
"""Hz. OpenAI's `pcm` has no header, so its clients assume this rate."""
ANY_ENGINE = ("june", "tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""Model names that leave the choice of the engine to the voice."""


class VoiceRef(BaseModel):
    """A voice named by an object, as newer clients do."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(min_length=1, max_length=300)


class SpeechBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"model": "june", "input": "Good morning. It is half past nine.", "voice": "alloy"},
                {"model": "tts-1", "input": "Hello!", "voice": "joe", "response_format": "wav", "speed": 1.2},
            ]
        },
    )

    input: str = Field(description="The text to speak.")
    model: str = Field("june", max_length=200, description="`june`, an OpenAI model name, or an engine.")
    voice: str | VoiceRef = Field("alloy", description="A voice id, or an object with its `id`.")
    response_format: Format = Field("mp3", description="Container and codec of the reply.")
    speed: float = Field(
        1.0, strict=True, ge=0.25, le=4.0, allow_inf_nan=False, description="Tempo; 2 is twice as fast."
    )
    instructions: str | None = Field(
        None, description="Refused unless empty: no engine here can follow instructions."
    )
    stream_format: Literal["audio", "sse"] = Field("audio", description="Raw audio, or events with base64.")
    language: str | None = Field(
        None, max_length=40, description="BCP 47 (an extension); must be one the voice speaks."
    )
    sample_rate: int | None = Field(
        None,
        strict=True,
        ge=8_000,
        le=192_000,
        description="Hz (an extension). `pcm` is 24000 unless this is given.",
    )


@router.post("/audio/speech", responses=AUDIO_REPLY | openai_refusals(*SPEECH), response_class=Response)
async def speech(
    body: SpeechBody,
    given: Annotated[Services, Depends(services)],
    ident: Annotated[str, Depends(request_id)],
) -> Response:
    """Speak a text. The audio is sent while it is being made; hanging up stops the work."""
    voice_id = body.voice if isinstance(body.voice, str) else body.voice.id
    await check_model(body.model, voice_id, given, fit_all=ANY_ENGINE, param="model")
    if body.instructions and body.instructions.strip():
        raise UnsupportedParameter("instructions: no engine here can follow them", param="instructions")
    request = SpeechRequest(ident, body.input, voice_id, body.language, body.speed)
    rate = body.sample_rate or (PCM_RATE if body.response_format == "pcm" else None)
    events = speech_events(len(body.input)) if body.stream_format == "sse" else None
    return await speech_response(given, request, plain_reply(body.response_format, rate, events))


@router.get("/models", responses=openai_refusals())
async def models(request: Request, given: Annotated[Services, Depends(services)]) -> Any:
    """The model names that `/v1/audio/speech` takes; to a caller with `xi-api-key` ElevenLabs' list."""
    if "xi-api-key" in request.headers:
        return elevenlabs_models(given)
    return {"object": "list", "data": [_model(name, given) for name in _names(given)]}


@router.get("/models/{model}", responses=openai_refusals(404))
async def model(model: str, given: Annotated[Services, Depends(services)]) -> dict[str, Any]:
    """One of the model names, each as the list has it."""
    if model not in _names(given):
        raise ModelNotFound(f"the model {shown(model, 60)} does not exist", param="model")
    return _model(model, given)


def _names(given: Services) -> list[str]:
    return [*ANY_ENGINE, *(engine.name for engine in given.engines)]


def _model(name: str, given: Services) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(given.started_at), "owned_by": "june-tts"}
