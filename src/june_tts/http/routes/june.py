"""June's own API: `/api/tts/synthesize` and the voice library under `/api/voices`."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, UploadFile
from pydantic import ConfigDict, Field
from starlette.responses import Response

from june_tts.errors import InvalidRequest, StoreUnavailable
from june_tts.http.forms import checked_form
from june_tts.http.routes.docs import REMOVAL, SPEECH, SYNTHESIZE_REPLY, UPLOAD, june_refusals
from june_tts.http.routes.rooms import spoken_in_room
from june_tts.http.services import Services, request_id, services
from june_tts.http.speech import plain_reply, speech_response
from june_tts.http.speech_fields import SpeechFields
from june_tts.types import ClonedVoice, RoomRequest, Voice, VoiceUse

router = APIRouter(prefix="/api", tags=["June"])

Given = Annotated[Services, Depends(services)]


ROOM_FIELDS = ("priority", "interrupt", "wait")
AUDIO_FIELDS = ("audio_format", "sample_rate")


class SynthesizeBody(SpeechFields):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"text": "Good morning. It is half past nine.", "voice_id": "default"}]
        },
    )

    room_name: str | None = Field(
        None, max_length=300, description="A LiveKit room to speak into; absent: the reply is the audio."
    )
    priority: int = Field(
        0, strict=True, ge=0, le=9, description="Of what waits for a room, the highest is spoken first."
    )
    interrupt: bool = Field(
        False,
        strict=True,
        description="End what the room hears, and what waits there, unless its priority is higher.",
    )
    wait: bool = Field(
        True, strict=True, description="Answer when the last frame has been played; else at once."
    )


@router.post("/tts/synthesize", responses=SYNTHESIZE_REPLY | june_refusals(*SPEECH), response_class=Response)
async def synthesize(
    body: SynthesizeBody, given: Given, ident: Annotated[str, Depends(request_id)]
) -> Response:
    """Speak a text: into a room, or as the reply, sent while it is being made."""
    request = body.speech(ident)
    _fits(body)
    if body.room_name is None:
        return await speech_response(given, request, plain_reply(body.audio_format, body.sample_rate))
    wanted = RoomRequest(body.room_name, request, body.priority, body.interrupt)
    return await spoken_in_room(given, wanted, wait=body.wait)


def _fits(body: SynthesizeBody) -> None:
    """Nothing is accepted and then ignored: an audio reply has no queue, and speech in a room no format."""
    where, wrong = ("with", ROOM_FIELDS) if body.room_name is None else ("without", AUDIO_FIELDS)
    for name in wrong:
        if name in body.model_fields_set:
            raise InvalidRequest(f"{name} is only for requests {where} room_name", param=name)


@router.get("/voices", responses=june_refusals(503))
async def voices(given: Given) -> dict[str, Any]:
    """Every voice that can be named in a request, built-in ones first."""
    used = await _used(given)
    found = [voice_json(voice) | use_json(used.get(voice.id)) for voice in await given.library.catalogue()]
    return {"total": len(found), "voices": found, "current_voice": given.default_voice}


@router.post("/voices/clone", responses=june_refusals(*UPLOAD), dependencies=[Depends(checked_form)])
async def clone(
    given: Given,
    voice_id: Annotated[str, Form(description="1 to 100 letters, digits, `_`, `.` or `-`.")],
    voice_name: Annotated[str, Form(description="A name for people, up to 255 characters.")],
    file: Annotated[UploadFile, File(description="3 to 60 s of speech: WAV, MP3, FLAC, M4A, OGG or WebM.")],
    transcript: Annotated[str | None, Form(description="The words that are spoken in it.")] = None,
    language: Annotated[str | None, Form(description="BCP 47.")] = None,
    consent: Annotated[
        str | None, Form(description="How the speaker agreed; kept with who stated it, and when.")
    ] = None,
) -> dict[str, Any]:
    """Add a voice from a recording. The recording is judged first, and the report is in the reply."""
    audio = await file.read()
    kept = await given.library.clone(voice_id, voice_name, audio, transcript, language, consent=consent)
    return {"status": "success", "voice_name": kept.name, **cloned_json(kept)}


@router.get("/voices/{voice_id}", responses=june_refusals(404, 503))
async def voice(voice_id: str, given: Given) -> dict[str, Any]:
    """One voice; a cloned one with its report."""
    found = await given.library.resolve(voice_id)
    if found.kind == "builtin":
        return voice_json(found)
    return voice_json(found) | cloned_json(await given.library.get(voice_id))


@router.get("/voices/{voice_id}/audio", responses=june_refusals(404, 503), response_class=Response)
async def recording(voice_id: str, given: Given) -> Response:
    """The recording of a cloned voice, as it was uploaded."""
    data = await given.library.audio(voice_id)
    return Response(
        data, media_type="application/octet-stream", headers={"Content-Disposition": "attachment"}
    )


@router.delete("/voices/{voice_id}", responses=june_refusals(*REMOVAL))
async def remove(voice_id: str, given: Given) -> dict[str, Any]:
    """Remove a cloned voice."""
    await given.library.remove(voice_id)
    return {"status": "success", "voice_id": voice_id}


async def _used(given: Services) -> Mapping[str, VoiceUse]:
    """Nothing where the library is away: the voices are worth more than their counts."""
    try:
        return await given.uses.known() if given.uses else {}
    except StoreUnavailable:
        return {}


def use_json(use: VoiceUse | None) -> dict[str, Any]:
    """How often a voice was spoken, as far as that is known."""
    return {
        "uses": use.uses if use else 0,
        "last_used": use.last_used.isoformat() if use else None,
    }


def voice_json(voice: Voice) -> dict[str, Any]:
    """A catalogue entry on the wire."""
    entry = asdict(voice)
    entry["voice_id"] = entry.pop("id")
    del entry["version"]
    entry["created_at"] = voice.created_at.isoformat() if voice.created_at else None
    return entry


def cloned_json(kept: ClonedVoice) -> dict[str, Any]:
    """What is known of a cloned voice."""
    return {
        "voice_id": kept.voice_id,
        "name": kept.name,
        "sha256": kept.sha256,
        "audio_bytes": kept.audio_bytes,
        "audio_duration_seconds": kept.report.duration if kept.report else None,
        "transcript": kept.transcript,
        "language": kept.language,
        "report": asdict(kept.report) if kept.report else None,
        "consent": kept.consent,
        "consent_by": kept.consent_by,
        "consent_at": kept.consent_at.isoformat() if kept.consent_at else None,
        "created_at": kept.created_at.isoformat(),
        "updated_at": kept.updated_at.isoformat(),
    }
