"""June's API for long texts: `/v1/jobs`."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query
from pydantic import ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from june_tts.audio.formats import MEDIA_TYPES
from june_tts.errors import NotConfigured, RangeNotSatisfiable
from june_tts.http.errors import error_response
from june_tts.http.ranges import still, unchanged, wanted
from june_tts.http.routes.docs import JOB, JOB_AUDIO, JOB_REPLY, MADE_JOB, june_refusals
from june_tts.http.services import Services, request_id, services
from june_tts.http.speech_fields import SpeechFields
from june_tts.http.stored_audio import StoredAudio
from june_tts.jobs import Job, JobState
from june_tts.service.jobs import LONGEST_TITLE, Jobs
from june_tts.types import Caller, Format

router = APIRouter(prefix="/v1/jobs", tags=["June"])

Ident = Annotated[str, Path(description="As `POST /v1/jobs` answered.")]


class JobBody(SpeechFields):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "Chapter one. It was a dark night.", "title": "Chapter 1"}]},
    )

    text: str = Field(description="The text to speak, up to JUNE_JOB_CHARS.")
    title: str | None = Field(None, max_length=LONGEST_TITLE, description="For people, in lists.")
    audio_format: Format = Field("mp3", description="Of the result.")


def _jobs(given: Annotated[Services, Depends(services)]) -> Jobs:
    if given.jobs is None:
        raise NotConfigured("jobs are kept in the voice library's database, and this server has none")
    return given.jobs


def _caller(request: Request) -> Caller | None:
    found: Caller | None = request.scope["state"].get("caller")
    return found


def viewer_of(request: Request) -> str | None:
    """Whose jobs are there for the caller: its own; where nobody needs a key, or for an admin, all."""
    caller = _caller(request)
    return None if caller is None or "admin" in caller.scopes else caller.key_id


Given = Annotated[Jobs, Depends(_jobs)]
Viewer = Annotated[str | None, Depends(viewer_of)]


@router.post("", status_code=202, responses=MADE_JOB | june_refusals(*JOB))
async def submit(
    body: JobBody, request: Request, given: Given, ident: Annotated[str, Depends(request_id)]
) -> Response:
    """Have a long text spoken while nobody waits. It is kept when this answers."""
    caller = _caller(request)
    owner = caller.key_id if caller else ""
    job = await given.submit(owner, body.title, body.speech(ident), body.audio_format, body.sample_rate)
    return JSONResponse(job_json(job, given), 202, {"Location": f"/v1/jobs/{job.id}"})


@router.get("", responses=june_refusals(400, 404, 503))
async def listed(
    given: Given,
    viewer: Viewer,
    state: Annotated[list[JobState], Query(default_factory=list, description="One of these.")],
    limit: Annotated[int, Query(ge=1, le=1000, description="Jobs of a page.")] = 50,
    before: Annotated[
        str | None, Query(max_length=100, description="Older than this one: `next` of the page before.")
    ] = None,
) -> dict[str, Any]:
    """The jobs, the newest first, page by page."""
    found = await given.list(viewer, state, before, limit + 1)
    page = found[:limit]
    more = page[-1].id if len(found) > limit else None
    return {"jobs": [job_json(job, given) for job in page], "next": more}


@router.get("/{job_id}", responses=JOB_REPLY | june_refusals(404, 503))
async def one(job_id: Ident, given: Given, viewer: Viewer) -> dict[str, Any]:
    """How far a job has come."""
    return job_json(await given.get(job_id, viewer), given)


@router.post("/{job_id}/cancel", responses=JOB_REPLY | june_refusals(404, 408, 413, 503))
async def cancel(job_id: Ident, given: Given, viewer: Viewer) -> dict[str, Any]:
    """End a job that has not ended. It stays in the list."""
    return job_json(await given.cancel(job_id, viewer), given)


@router.delete("/{job_id}", responses=june_refusals(404, 408, 413, 503))
async def remove(job_id: Ident, given: Given, viewer: Viewer) -> dict[str, str]:
    """End a job where it has not ended, and forget it with its audio."""
    await given.remove(job_id, viewer)
    return {"status": "success", "id": job_id}


@router.get(
    "/{job_id}/audio", responses=JOB_AUDIO | june_refusals(404, 409, 416, 503), response_class=Response
)
async def audio(
    job_id: Ident,
    request: Request,
    given: Given,
    viewer: Viewer,
    range: Annotated[str | None, Header(include_in_schema=False)] = None,
    if_range: Annotated[str | None, Header(include_in_schema=False)] = None,
    if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """The audio of a job that is done, whole or in part."""
    job, size = await given.finished(job_id, viewer)
    # a job is encoded once: its id names these very bytes
    etag = f'"{job.id}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    if unchanged(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    try:
        part = wanted(range, size) if still(if_range, etag) else None
    except RangeNotSatisfiable as refusal:
        response = error_response(request.scope["path"], refusal)
        response.headers["Content-Range"] = f"bytes */{size}"
        return response
    start, stop = part or (0, size)
    headers["Content-Length"] = str(stop - start)
    headers["Content-Disposition"] = f'attachment; filename="{job.id}.{job.format}"'
    if part:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    given_up = request.app.state.services.stall_seconds
    return StoredAudio(
        given.read(job.id, start, stop),
        status=206 if part else 200,
        media_type=MEDIA_TYPES[job.format],
        headers=headers,
        stall_seconds=given_up,
    )


def job_json(job: Job, jobs: Jobs) -> dict[str, Any]:
    """A job on the wire. What it says is not told."""
    failure = job.failure
    return {
        "id": job.id,
        "state": job.state,
        "title": job.title,
        "voice_id": job.voice_id,
        "audio_format": job.format,
        "sample_rate": job.sample_rate,
        "characters": job.characters,
        "characters_spoken": job.spoken,
        "progress": round(job.spoken / job.characters, 4),
        "pieces": job.pieces,
        "audio_duration_seconds": round(job.samples / job.piece_rate, 3) if job.piece_rate else 0.0,
        "audio_bytes": job.audio_bytes,
        "created_at": _moment(job.created_at),
        "started_at": _moment(job.started_at),
        "ended_at": _moment(job.ended_at),
        "kept_until": _moment(job.ended_at + jobs.kept_seconds if job.ended_at else None),
        "error": {
            "code": failure.code,
            "message": failure.message,
            "param": failure.param,
            "retryable": failure.retryable,
        }
        if failure
        else None,
    }


def _moment(seconds: float | None) -> str | None:
    """ISO 8601, UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
