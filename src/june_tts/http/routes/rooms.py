"""June's API for speech in LiveKit rooms: what became of an utterance, and its end before its time."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from june_tts.errors import InvalidRequest, NotConfigured, UtteranceNotFound, shown
from june_tts.http.routes.docs import STOP, june_refusals
from june_tts.http.services import Services, services
from june_tts.service.utterances import Utterances
from june_tts.types import RoomRequest, UtteranceReport

router = APIRouter(prefix="/api/tts", tags=["June"])

Given = Annotated[Services, Depends(services)]


class StopBody(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"room_name": "lobby"}]})

    room_name: str | None = Field(
        None, max_length=300, description="Everything that plays or waits in this room."
    )
    utterance_id: str | None = Field(None, max_length=100, description="This one alone.")


@router.post("/stop", responses=june_refusals(*STOP))
async def stop(body: StopBody, given: Given) -> dict[str, Any]:
    """End what is said in a room, or one utterance; answers when it is silent."""
    if (body.room_name is None) == (body.utterance_id is None):
        raise InvalidRequest("expected either room_name or utterance_id", param="room_name")
    if body.room_name is not None:
        ended = await _utterances(given).stop_room(body.room_name)
    else:
        ident = body.utterance_id or ""
        ended = [await _known(given, ident).stop(ident)]
    return {"status": "success", "stopped": [report.id for report in ended if report.state == "stopped"]}


@router.get("/utterances/{utterance_id}", responses=june_refusals(404))
async def utterance(utterance_id: str, given: Given) -> dict[str, Any]:
    """How far an utterance has come; known for ten minutes after its end."""
    return report_json(_known(given, utterance_id).report(utterance_id))


async def spoken_in_room(given: Services, wanted: RoomRequest, *, wait: bool) -> Response:
    """Accept an utterance and answer at once, or when it has ended.

    A client that hangs up while it waits ends nothing: whoever listens is in the room. Callers of the
    service before this one count on it, whose read timeout may be shorter than what they have said.
    """
    utterances = _utterances(given)
    report = await utterances.submit(wanted)
    if wait:
        report = await utterances.ended(report.id)
    if report.error:
        raise report.error
    status = {"done": "success"}.get(report.state, report.state)
    body = {"status": status, "mode": "livekit", **report_json(report)}
    return JSONResponse(body, 200 if wait else 202)


def report_json(report: UtteranceReport) -> dict[str, Any]:
    """An utterance on the wire. What it says is not kept."""
    error = report.error
    return {
        "utterance_id": report.id,
        "room_name": report.room,
        "voice_id": report.voice_id,
        "priority": report.priority,
        "state": report.state,
        "heard_seconds": round(report.heard_seconds, 3),
        "total_time_ms": round(1000 * report.total_seconds, 1),
        "error": {"code": error.code, "message": str(error)} if error else None,
    }


def _utterances(given: Services) -> Utterances:
    if given.utterances is None:
        raise NotConfigured(
            "room_name: this server is not connected to LiveKit. Set LIVEKIT_URL, LIVEKIT_API_KEY and "
            "LIVEKIT_API_SECRET, or ORCHESTRATOR_URL; or leave room_name out to get the audio",
            param="room_name",
        )
    return given.utterances


def _known(given: Services, ident: str) -> Utterances:
    """Where nothing can be said in rooms, no utterance has an id."""
    if given.utterances is None:
        raise UtteranceNotFound(f"no utterance has the id {shown(ident)}", param="utterance_id")
    return given.utterances
