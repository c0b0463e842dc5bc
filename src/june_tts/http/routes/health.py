"""Liveness, readiness, the guide's detailed health, counts and metrics."""

import time
from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from june_tts.http.routes.docs import june_refusals
from june_tts.http.services import Services, services
from june_tts.ports import Supervised
from june_tts.service.health import Trouble
from june_tts.telemetry.recorder import Totals

router = APIRouter(tags=["Health"], responses=june_refusals())

STARTED: Final = time.monotonic()
"""Of this process: uptime is no matter of the wall clock, which may be set."""

Given = Annotated[Services, Depends(services)]


@router.get("/health/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get(
    "/health/ready",
    responses={503: {"description": "Stopping, or an engine that cannot speak now: send no new requests"}},
)
async def ready(given: Given) -> Response:
    """The server takes new requests. The socket opens only after the engines are warm.

    503 while it is stopping, and while an engine is being started again or makes no progress; `degraded` then
    names the part, its state, and since when (seconds since 1970).
    """
    blocking = [trouble for trouble in given.health.troubles() if trouble.blocks]
    if blocking:
        status = "draining" if given.admission.draining else "degraded"
        return JSONResponse({"status": status, "degraded": _listed(blocking)}, 503)
    return JSONResponse({"status": "ready"})


@router.get("/health")
async def health(given: Given) -> dict[str, Any]:
    """The whole picture, always with 200. `status` is `degraded` where a part is not as it should be, and
    `degraded` names each such part, its state, and since when (seconds since 1970)."""
    await given.health.look()
    told = None if given.everyone is None else await given.everyone.told()
    totals = given.recorder.totals if told is None else told.totals
    voices = [voice for engine in given.engines for voice in engine.voices()]
    processes = {engine.name: engine.health for engine in given.engines if isinstance(engine, Supervised)}
    rooms = _rooms(given)
    away = rooms is not None and (rooms["home"] is False or not rooms["reachable"])
    troubles = given.health.troubles(rooms_away=away) + (told.troubles() if told else [])
    on_gpu = any(process.device.startswith("cuda") for process in processes.values())
    return {
        "status": "degraded" if troubles else "ok",
        "degraded": _listed(troubles),
        "timestamp": time.time(),
        "uptime_seconds": time.monotonic() - STARTED,
        "version": given.version,
        "services": {
            "engines": {engine.name: bool(engine.voices()) for engine in given.engines},
            "processes": {name: asdict(process) for name, process in processes.items()},
            **({} if told is None else {"workers": [asdict(process) for process in told.processes]}),
            "livekit": rooms is not None and not away,
            "database": given.health.database,
            **({} if given.shared is None else {"redis": given.shared.available}),
        },
        "rooms": rooms,
        "resources": {"gpu_available": on_gpu, **_memory()},
        "model": {
            "loaded": bool(voices),
            "current_voice": given.default_voice,
            "voices_cached": len(voices),
        },
        "metrics": {
            "total_requests": totals.requests,
            "active_requests": totals.active,
            "avg_latency_ms": _mean_ms(totals.latency_seconds, totals),
        },
    }


@router.get("/stats")
async def stats(given: Given) -> dict[str, Any]:
    """Counts since the server started."""
    totals = given.recorder.totals if given.everyone is None else (await given.everyone.told()).totals
    return {
        "uptime_seconds": time.monotonic() - STARTED,
        "total_requests": totals.requests,
        "succeeded": totals.succeeded,
        "failed": totals.failed,
        "cancelled": totals.cancelled,
        "refused": totals.refused,
        "active_requests": totals.active,
        "characters": totals.characters,
        "audio_seconds": round(totals.audio_seconds, 3),
        "avg_latency_ms": _mean_ms(totals.latency_seconds, totals),
        "avg_ttfa_ms": _mean_ms(totals.ttfa_seconds, totals),
    }


@router.get("/metrics", response_class=Response)
async def metrics(given: Given, request: Request) -> Response:
    """Prometheus's text format, or OpenMetrics, which has exemplars, where `Accept` asks for it."""
    told = None if given.everyone is None else await given.everyone.told()
    text, media_type = await given.metrics.exposed(
        request.headers.get("accept", ""), None if told is None else told.families
    )
    return Response(text, headers={"Content-Type": media_type})


def _rooms(given: Services) -> dict[str, Any] | None:
    if given.utterances is None:
        return None
    state = given.utterances.rooms.state
    return {
        "joined": state.joined,
        "home": state.home,
        "reachable": state.reachable,
        "speaking": given.utterances.speaking,
        "waiting": given.utterances.waiting,
    }


def _listed(troubles: list[Trouble]) -> list[dict[str, Any]]:
    return [{"part": one.part, "state": one.state, "since": one.since} for one in troubles]


def _mean_ms(seconds: float, totals: Totals) -> float:
    return round(1000 * seconds / totals.succeeded, 1) if totals.succeeded else 0.0


def _memory() -> dict[str, int]:
    """Resident memory of this process in MB, where the system tells (Linux)."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
    except (OSError, ValueError):
        return {}
    return {"memory_rss_mb": pages * 4096 // 2**20}
