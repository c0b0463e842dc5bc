"""By which names the server may be called: a page that rebinds its own name to this address is refused."""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from june_tts.errors import InvalidRequest, shown
from june_tts.http.errors import error_response
from june_tts.http.middleware import CALLS

OPEN = ("/health", "/metrics")
"""Probes call by address, whatever the name is."""


class Hosts:
    """Refuses requests whose `Host` is none of the allowed ones."""

    def __init__(self, app: ASGIApp, *, allowed: tuple[str, ...]) -> None:
        """`allowed`: names in lower case, `*.name` for all below it; none: any."""
        self._app = app
        self._allowed = frozenset(name for name in allowed if not name.startswith("*"))
        self._below = tuple(name[1:] for name in allowed if name.startswith("*"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in CALLS and not self._fits(scope):
            sent = Headers(scope=scope).get("host", "")
            refusal = InvalidRequest(f"Host is {shown(sent)}: this server has other names", param="Host")
            await error_response(scope["path"], refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _fits(self, scope: Scope) -> bool:
        if not (self._allowed or self._below) or scope["path"].startswith(OPEN):
            return True
        host = re.sub(r":[0-9]*$", "", Headers(scope=scope).get("host", "")).lower()
        return host in self._allowed or host.endswith(self._below or ("\n",))
