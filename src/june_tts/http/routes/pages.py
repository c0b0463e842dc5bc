"""The page at `/` and its files under `/static`: plain modules out of the package, nothing from elsewhere."""

import os
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_STATIC = Path(__file__).parents[1] / "static"

_POLICY = "; ".join(
    (
        "default-src 'self'",
        # what was recorded or chosen is played from memory before it is sent
        "media-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)

HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    # File names carry no hash, as there is no build step: ask each time, and get a 304 while nothing changed.
    "Cache-Control": "no-cache",
}


class _PageFiles(StaticFiles):
    """Files of the page with the page's headers; 404 for anything that is not a file below the folder."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        if "\0" in path:  # the file system refuses it with a ValueError, which would be a 500
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response

    async def page(self, request: Request) -> Response:
        return await self.get_response("index.html", request.scope)


def page_routes(directory: str | os.PathLike[str] = _STATIC) -> list[BaseRoute]:
    """Routes `/` and `/static/*`, both open to callers without a key: the page itself asks for it."""
    files = _PageFiles(directory=directory)
    return [Route("/", files.page, name="page"), Mount("/static", files, name="static")]
