"""Keys and the audit log, for whoever has the scope `admin`: `/api/admin/…`."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from june_tts.http.routes.docs import june_refusals
from june_tts.http.services import Services, services
from june_tts.service.key_desk import MOST_OF_A_LIMIT
from june_tts.types import ApiKey, AuditEntry, KeyLimits

router = APIRouter(prefix="/api/admin", tags=["Admin"])

Given = Annotated[Services, Depends(services)]
MOST_SECONDS = 10 * 365 * 86_400
_BODY = (400, 408, 413, 415, 503)

Limit = Annotated[int | None, Field(strict=True, ge=0, le=MOST_OF_A_LIMIT)]


class LimitsBody(BaseModel):
    """What a key may have. Absent: as it is, or the server's default; 0: no limit."""

    model_config = ConfigDict(extra="forbid")

    requests_per_minute: Limit = None
    characters_per_minute: Limit = None
    audio_seconds_per_minute: Limit = None
    streams: Limit = None
    characters_per_day: Limit = None
    characters_per_month: Limit = None
    audio_seconds_per_day: Limit = None
    audio_seconds_per_month: Limit = None

    def limits(self) -> KeyLimits:
        return KeyLimits(**self.model_dump())


class KeyBody(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Ann's agent", "scopes": ["speak"]}]}
    )

    name: str = Field(description="For people, up to 100 characters.")
    scopes: list[str] = Field(["speak"], max_length=20, description="Of `speak`, `voices`, `admin`.")
    expires_in_seconds: int | None = Field(
        None, strict=True, ge=1, le=MOST_SECONDS, description="From now on; absent: it does not expire."
    )
    limits: LimitsBody | None = Field(None, description="Where it differs from the server's defaults.")


class ChangeBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    limits: LimitsBody = Field(description="Those to change; the others stay.")


@router.get("/keys", responses=june_refusals(403, 429, 503))
async def keys(given: Given) -> dict[str, Any]:
    """Every key there ever was, oldest first. Secrets are not kept, so none is shown."""
    found = [key_json(key) for key in await given.access.desk.list()]
    return {"total": len(found), "keys": found}


@router.post("/keys", responses=june_refusals(403, 429, *_BODY), status_code=201)
async def add(body: KeyBody, given: Given) -> dict[str, Any]:
    """Make a key. It is in this reply and nowhere else."""
    ends = body.expires_in_seconds
    until = datetime.now(UTC) + timedelta(seconds=ends) if ends else None
    limits = (body.limits or LimitsBody()).limits()
    made = await given.access.desk.make(body.name, body.scopes, limits, until)
    return {"key": made.text, **key_json(made.key)}


@router.get("/keys/{key_id}", responses=june_refusals(403, 404, 429, 503))
async def key(key_id: str, given: Given) -> dict[str, Any]:
    """One key, and what it has left here."""
    found = await given.access.desk.get(key_id)
    return key_json(found) | {"left": _left(given, found)}


@router.patch("/keys/{key_id}", responses=june_refusals(403, 404, 429, *_BODY))
async def change(key_id: str, body: ChangeBody, given: Given) -> dict[str, Any]:
    """Change limits of a key."""
    return key_json(await given.access.desk.limit(key_id, body.limits.limits()))


@router.delete("/keys/{key_id}", responses=june_refusals(403, 404, 408, 413, 429, 503))
async def revoke(key_id: str, given: Given) -> dict[str, Any]:
    """Revoke a key for good. Every replica refuses it within a second."""
    return key_json(await given.access.desk.revoke(key_id))


@router.get("/audit", responses=june_refusals(400, 403, 429, 503))
async def audit(
    given: Given,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Entries of a page.")] = 100,
) -> dict[str, Any]:
    """Who changed voices and keys, newest first, page by page."""
    found = await given.access.audit.page(before, limit)
    return {"entries": [entry_json(entry) for entry in found], "next": _next(found, limit)}


def key_json(key: ApiKey) -> dict[str, Any]:
    """A key without its secret's hash, as is printed and sent."""
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "limits": {name: value for name, value in asdict(key.limits).items() if value is not None},
        "created_at": key.created_at.isoformat(),
        "created_by": key.created_by,
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
        "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
    }


def entry_json(entry: AuditEntry) -> dict[str, Any]:
    """An entry of the audit log, as is printed and sent."""
    return asdict(entry) | {"at": entry.at.isoformat()}


def _next(found: Sequence[AuditEntry], limit: int) -> int | None:
    return found[-1].number if len(found) == limit else None


def _left(given: Services, key: ApiKey) -> dict[str, float]:
    if key.revoked_at is not None:
        return {}
    return {state.budget.name: round(state.left, 3) for state in given.access.meter.state(key.key_id)}
