"""The voices of Fish's API: `/v1/references/…`, as later releases of fish-speech have them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from june_tts.http.fish_body import FishRoute
from june_tts.http.fish_schema import AddBody, DeleteBody, UpdateBody
from june_tts.http.routes.docs import REMOVAL, UPLOAD, fish_refusals
from june_tts.http.services import Services, services

router = APIRouter(prefix="/v1/references", tags=["Fish"], route_class=FishRoute)

Given = Annotated[Services, Depends(services)]


@router.get("/list", responses=fish_refusals(503))
async def references(given: Given) -> dict[str, Any]:
    """Every `reference_id`."""
    return {"success": True, "reference_ids": list(await given.references.list()), "message": "Success"}


@router.post("/add", responses=fish_refusals(*UPLOAD))
async def add(body: AddBody, given: Given) -> dict[str, Any]:
    """Keep a recording and its words under a new id."""
    await given.references.add(body.id, body.audio, body.text)
    return {"success": True, "message": f"{body.id} was added", "reference_id": body.id}


@router.delete("/delete", responses=fish_refusals(*REMOVAL, 415))
async def delete(body: DeleteBody, given: Given) -> dict[str, Any]:
    """Remove one."""
    await given.references.remove(body.reference_id)
    return {
        "success": True,
        "message": f"{body.reference_id} was removed",
        "reference_id": body.reference_id,
    }


@router.post("/update", responses=fish_refusals(*UPLOAD, 403, 404))
async def update(body: UpdateBody, given: Given) -> dict[str, Any]:
    """Give one another id."""
    await given.references.rename(body.old_reference_id, body.new_reference_id)
    return {
        "success": True,
        "message": f"{body.old_reference_id} is {body.new_reference_id} now",
        "old_reference_id": body.old_reference_id,
        "new_reference_id": body.new_reference_id,
    }
