"""The voice library in Fish Audio's shape: `/model`; and `/wallet`, where nothing is charged."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Depends, File, Form, Query, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from june_tts.errors import InvalidRequest, UnsupportedParameter, VoiceNotFound, shown
from june_tts.http.errors import UnsupportedMediaType, sent_type
from june_tts.http.fish_voices import YOURS, Filter, Order, chosen, cloned, model, models
from june_tts.http.routes.docs import PICTURE_REPLY, REMOVAL, UPLOAD, fish_refusals
from june_tts.http.services import Services, services
from june_tts.service.pictures import checked_picture
from june_tts.types import Visibility, VoiceCard

router = APIRouter(tags=["Fish"])

Given = Annotated[Services, Depends(services)]
MOST_RECORDINGS = 16
"""Of one voice, as of one request."""
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
NAMES = {"name": "title", "file": "voices", "transcript": "texts"}
"""The library's names of fields to those of this API."""
NEVER = "9999-12-31T23:59:59+00:00"
PLENTY = 1_000_000_000

Tags = Annotated[list[str], Form(max_length=1000, description="To find it by; up to 32 of 64 characters.")]
Cover = Annotated[UploadFile | None, File(description="PNG, JPEG, GIF or WebP, up to 4 MiB.")]
Description = Annotated[str | None, Form(description="Up to 5,000 characters.")]


async def a_form(request: Request) -> None:
    """Raises: UnsupportedMediaType, where the body is something else. None at all changes nothing."""
    sent = sent_type(request)
    if sent not in ("", *FORMS):
        raise UnsupportedMediaType(f"Content-Type is {sent[:80]!r}: expected {FORMS[0]}")


async def cleared(request: Request) -> bool:
    """Whether a form has an empty description: to FastAPI that is none at all."""
    return (await request.form()).get("description") == ""


@router.get("/model", responses=fish_refusals(503))
async def listed(
    given: Given,
    tag: Annotated[list[str], Query(max_length=100, default_factory=list, description="All of these.")],
    language: Annotated[list[str], Query(max_length=100, default_factory=list, description="One of these.")],
    title_language: Annotated[list[str], Query(max_length=100, default_factory=list, description="Refused.")],
    page_size: Annotated[int, Query(ge=1, le=1000, description="Voices of a page.")] = 10,
    page_number: Annotated[int, Query(ge=1, le=1_000_000, description="From 1.")] = 1,
    title: Annotated[str, Query(max_length=300, description="What is in the name.")] = "",
    own: Annotated[bool, Query(alias="self", description="Cloned voices alone, and all of them.")] = False,
    author_id: Annotated[str, Query(max_length=300, description="`self` or `june-tts`.")] = "",
    sort_by: Annotated[Order, Query(description="Most spoken, or newest first.")] = "task_count",
) -> dict[str, Any]:
    """The voices that can be named, page by page."""
    if title_language:
        raise UnsupportedParameter("title_language: nobody knows here which language a name is in")
    wanted = Filter(title, tag, language, author_id, own)
    found = chosen(await models(given), wanted, sort_by)
    first = (page_number - 1) * page_size
    return {"total": len(found), "items": [one.json() for one in found[first : first + page_size]]}


@router.post("/model", responses=fish_refusals(*UPLOAD), status_code=201, dependencies=[Depends(a_form)])
async def add(
    given: Given,
    title: Annotated[str, Form(description="A name for people.")],
    voices: Annotated[
        list[UploadFile], File(max_length=MOST_RECORDINGS, description="3 to 60 s of speech, all together.")
    ],
    texts: Annotated[list[str] | None, Form(description="The words in each of them, or none at all.")] = None,
    description: Description = None,
    tags: Tags | None = None,
    visibility: Annotated[Visibility, Form(description="Whether lists for all have it.")] = "private",
    cover_image: Cover = None,
    type: Annotated[Literal["tts"], Form(description="What it is for.")] = "tts",
    train_mode: Annotated[Literal["fast"], Form(description="It can speak at once.")] = "fast",
    enhance_audio_quality: Annotated[bool, Form(description="No effect.")] = False,
    consent: Annotated[
        str | None, Form(description="How the speaker agreed; June's own, where the server requires it.")
    ] = None,
) -> Response:
    """Make a voice of recordings. They are judged first."""
    words = _words(texts or (), len(voices))
    card = VoiceCard(description, tuple(tags or ()), visibility)
    with _in_their_words():
        if cover_image:
            card = replace(card, cover=checked_picture(await cover_image.read()))
        recordings = [await file.read() for file in voices]
        kept = await given.library.clone(uuid4().hex, title, recordings, words, consent=consent, card=card)
    headers = {"X-Ignored-Parameters": "enhance_audio_quality"} if enhance_audio_quality else None
    return JSONResponse(cloned(kept, given.recorder.spoken).json(), 201, headers)


@router.get("/model/{voice_id}", responses=fish_refusals(404, 503))
async def one(voice_id: str, given: Given) -> dict[str, Any]:
    """One voice."""
    return (await model(given, voice_id)).json()


@router.get("/model/{voice_id}/cover", responses=PICTURE_REPLY | fish_refusals(404, 503))
async def cover(voice_id: str, given: Given) -> Response:
    """The picture of a voice."""
    picture = await given.library.cover(voice_id)
    if picture is None:
        raise VoiceNotFound(f"the voice {shown(voice_id)} has no picture", param="voice_id")
    # a browser must not take it for anything else, whatever is in it
    return Response(
        picture.data, media_type=picture.media_type, headers={"X-Content-Type-Options": "nosniff"}
    )


@router.patch(
    "/model/{voice_id}", responses=fish_refusals(*REMOVAL, 400, 415), dependencies=[Depends(a_form)]
)
async def change(
    voice_id: str,
    given: Given,
    cleared: Annotated[bool, Depends(cleared)],
    title: Annotated[str | None, Form(description="A name for people.")] = None,
    description: Description = None,
    tags: Tags | None = None,
    visibility: Annotated[Visibility | None, Form(description="Whether lists for all have it.")] = None,
    cover_image: Cover = None,
) -> dict[str, Any]:
    """Change what is told of a cloned voice; what is not sent stays."""
    picture = checked_picture(await cover_image.read()) if cover_image else None
    about = "" if cleared else description
    card = VoiceCard(about, None if tags is None else tuple(tags), visibility, picture)
    with _in_their_words():
        return cloned(await given.library.change(voice_id, title, card), given.recorder.spoken).json()


@router.delete("/model/{voice_id}", responses=fish_refusals(*REMOVAL))
async def remove(voice_id: str, given: Given) -> dict[str, str]:
    """Remove a cloned voice."""
    await given.library.remove(voice_id)
    return {"_id": voice_id}


@router.get("/wallet/self/api-credit", responses=fish_refusals())
async def credit(given: Given) -> dict[str, Any]:
    """Plenty, for clients that look at it before they speak."""
    return {**_account(given), "credit": str(PLENTY), "has_phone_sha256": False, "has_free_credit": True}


@router.get("/wallet/self/package", responses=fish_refusals())
async def package(given: Given) -> dict[str, Any]:
    """The same as a package that is never used up."""
    units = dict.fromkeys(("total", "balance"), PLENTY)
    return {**_account(given), "type": "june-tts", **units, "finished_at": NEVER}


def _account(given: Services) -> dict[str, str]:
    since = datetime.fromtimestamp(given.started_at, UTC).isoformat()
    return {"_id": YOURS, "user_id": YOURS, "created_at": since, "updated_at": since}


def _words(texts: Sequence[str], recordings: int) -> str | None:
    """One transcript. Raises: InvalidRequest, where it would be that of a part of what is heard."""
    spoken = [text.strip() for text in texts if text.strip()]
    if spoken and (len(spoken) != recordings or len(texts) != recordings):
        raise InvalidRequest(
            f"texts has {len(spoken)} of {recordings} texts: expected one for each recording, or none at all",
            param="texts",
        )
    return " ".join(spoken) or None


@contextmanager
def _in_their_words() -> Iterator[None]:
    """The library's refusals, with the fields called as they were sent."""
    try:
        yield
    except InvalidRequest as bad:
        theirs = NAMES.get(bad.param or "")
        if theirs is None or bad.param is None:
            raise
        said = str(bad)
        said = theirs + said[len(bad.param) :] if said.startswith(bad.param) else said
        raise type(bad)(said, param=theirs) from bad
