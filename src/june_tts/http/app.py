"""Puts the HTTP surface together: routes, errors, middleware. Nothing here decides anything."""

from fastapi import Depends, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from june_tts.errors import JuneError
from june_tts.http.access import Access
from june_tts.http.errors import on_http_exception, on_june_error, on_unexpected, on_validation_error
from june_tts.http.fish_speech import FISH_AUDIO, FISH_SPEECH
from june_tts.http.hosts import Hosts
from june_tts.http.middleware import Bodies, RequestIds
from june_tts.http.observed import Observed
from june_tts.http.rate_headers import NAMES
from june_tts.http.routes import (
    admin,
    batch,
    elevenlabs,
    elevenlabs_live,
    elevenlabs_voices,
    fish,
    fish_live,
    fish_references,
    fish_timestamps,
    fish_voices,
    health,
    jobs,
    june,
    openai,
    openai_voices,
    rooms,
)
from june_tts.http.routes.pages import page_routes
from june_tts.http.services import Services
from june_tts.http.shortcut import Shortcut
from june_tts.http.terms import RequestTerms

DESCRIPTION = """Text in, speech out, sent while it is being made.

`/v1/audio/speech` is OpenAI's API, `/api/…` is June's own,
`/v1/tts` and its neighbours are Fish's, `/v1/text-to-speech/…` is ElevenLabs'.
Errors name the field, its value and what was expected. Every reply carries `x-request-id`."""


def create_app(given: Services, *, fish_alone: bool = False) -> FastAPI:
    """
    Args:
        fish_alone: Fish's API, health and metrics, and nothing else: what replaces fish-speech's server.
    """
    # offline: FastAPI's own /docs loads its scripts from the internet
    app = FastAPIOffline(
        title="june-tts",
        version=given.version,
        description=DESCRIPTION,
        license_info={"name": "Apache-2.0"},
        redoc_url=None,
    )
    app.state.services = given
    app.state.fish_usual = FISH_SPEECH if fish_alone else FISH_AUDIO
    fishes = (fish, fish_timestamps, fish_references, health)
    apis = (
        fishes
        if fish_alone
        else (
            openai,
            openai_voices,
            june,
            admin,
            rooms,
            batch,
            jobs,
            elevenlabs,
            elevenlabs_voices,
            fish_voices,
            *fishes,
        )
    )
    app.state.api_routes = [route for api in apis for route in api.router.routes]
    for api in apis:
        # only for the document: the middleware is what asks for the key
        shown = (
            [Depends(HTTPBearer(auto_error=False))] if given.access.keys.asks and api is not health else []
        )
        app.include_router(api.router, dependencies=shown)
    # on its own, as the scheme of the document is for requests
    app.include_router(fish_live.router)
    if not fish_alone:
        app.include_router(elevenlabs_live.router)
        app.router.routes.extend(page_routes())
    app.add_exception_handler(JuneError, on_june_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(Exception, on_unexpected)
    # the last one added is the first to see a request
    app.add_middleware(Shortcut)
    # these two as they are by then: SIGHUP may bring others
    app.add_middleware(Bodies, limits=lambda: app.state.services.body_limits)
    app.add_middleware(RequestTerms, deadline_ms=lambda: app.state.services.deadline_ms)
    app.add_middleware(Access, access=given.access)
    app.add_middleware(Observed, traces=given.traces, metrics=given.metrics.http, access_log=given.access_log)
    if given.access.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=given.access.origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=NAMES,
        )
    app.add_middleware(Hosts, allowed=given.access.hosts)
    app.add_middleware(RequestIds)
    return app
