"""June's API for many short texts at once: `/v1/batch`."""

from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Header
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from june_tts.http.audio_response import AudioResponse
from june_tts.http.batch_reply import MULTIPART, NDJSON, lines, parts, wants_parts
from june_tts.http.routes.docs import BATCH, BATCH_REPLY, june_refusals
from june_tts.http.services import Services, request_id, services
from june_tts.http.speech_fields import SpeechFields
from june_tts.service.batch import BatchItem

router = APIRouter(prefix="/v1", tags=["June"])

Given = Annotated[Services, Depends(services)]


class Item(SpeechFields):
    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._:-]{1,128}$",
        description="Your name for it, once in a batch; absent: its place, from 0.",
    )


class BatchBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"items": [{"id": "a", "text": "Good morning."}, {"text": "Five."}]}]
        },
    )

    items: list[Item] = Field(min_length=1, description="What to speak; up to JUNE_BATCH_ITEMS.")


@router.post("/batch", responses=BATCH_REPLY | june_refusals(*BATCH), response_class=Response)
async def batch(
    body: BatchBody,
    given: Given,
    ident: Annotated[str, Depends(request_id)],
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> Response:
    """Speak many short texts, each told as soon as it has ended. One that fails is no other's fault."""
    items = [
        BatchItem(item.id or str(at), item.speech(f"{ident}.{at}"), item.audio_format, item.sample_rate)
        for at, item in enumerate(body.items)
    ]
    results = given.batches.speak(items)
    if wants_parts(accept):
        boundary = uuid4().hex
        content, media_type = parts(results, boundary), f'{MULTIPART}; boundary="{boundary}"'
    else:
        content, media_type = lines(results), NDJSON
    return AudioResponse(content, media_type=media_type, stall_seconds=given.stall_seconds)
