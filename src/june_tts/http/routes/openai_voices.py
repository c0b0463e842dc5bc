"""The voice library in OpenAI's shape: `/v1/audio/voices`."""

import re
import unicodedata
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, File, Form, UploadFile

from june_tts.errors import InvalidRequest
from june_tts.http.forms import checked_form
from june_tts.http.routes.docs import REMOVAL, UPLOAD, openai_refusals
from june_tts.http.routes.june import cloned_json, voice_json
from june_tts.http.services import Services, services

router = APIRouter(prefix="/v1/audio/voices", tags=["OpenAI"])

Given = Annotated[Services, Depends(services)]


@router.get("", responses=openai_refusals(503))
async def voices(given: Given) -> dict[str, Any]:
    """Every voice; each has at least `id` and `name`."""
    found = [{"id": voice.id, **voice_json(voice)} for voice in await given.library.catalogue()]
    return {"object": "list", "data": found, "voices": found}


@router.post("", responses=openai_refusals(*UPLOAD), dependencies=[Depends(checked_form)])
async def add(
    given: Given,
    name: Annotated[str, Form(description="Its id is made from it.")],
    consent: Annotated[str, Form(description="Who agreed to the cloning, in words or as an id.")],
    audio_sample: Annotated[UploadFile, File(description="3 to 60 s of speech.")],
    ref_text: Annotated[str | None, Form(description="The words that are spoken in it.")] = None,
    type: Annotated[
        Literal["audio_sample"], Form(description="How it is made: nothing here makes one of a prompt.")
    ] = "audio_sample",
) -> dict[str, Any]:
    """Add a voice from a recording."""
    if not consent.strip():
        raise InvalidRequest("consent is empty: expected who agreed to the cloning", param="consent")
    kept = await given.library.clone(
        _slug(name), name, await audio_sample.read(), ref_text, None, consent=consent
    )
    # the SDK's type has seconds where June's own API has ISO 8601
    created = {"created_at": int(kept.created_at.timestamp()), "type": type}
    return {"object": "audio.voice", "id": kept.voice_id, **cloned_json(kept), **created}


@router.delete("/{voice_id}", responses=openai_refusals(*REMOVAL))
async def remove(voice_id: str, given: Given) -> dict[str, Any]:
    """Remove a voice that was added."""
    await given.library.remove(voice_id)
    return {"object": "audio.voice.deleted", "id": voice_id, "deleted": True}


def _slug(name: str) -> str:
    """An id from a name: "Anna Müller" is "anna-muller"."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:100]
    if not slug:
        raise InvalidRequest(
            f"name is {name[:40]!r}: expected at least one letter or digit to make an id from", param="name"
        )
    return slug
