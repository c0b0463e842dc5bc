"""Who calls, and whether they may: the first thing that is asked of a request, before its body is read.

The caller is at `scope["state"]["caller"]` from here on; None where the server asks nobody for a key.
"""

from dataclasses import dataclass

import structlog
from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from june_tts.errors import Forbidden, JuneError
from june_tts.http.errors import error_response
from june_tts.http.middleware import CALLS, REPLIES
from june_tts.http.rate_headers import rate_headers
from june_tts.http.scopes import Asked, asked
from june_tts.service.audit import Audit
from june_tts.service.key_desk import KeyDesk
from june_tts.service.keys import KeyRing
from june_tts.service.rates import RateMeter
from june_tts.telemetry.metrics.access import AccessMetrics
from june_tts.types import Caller

READS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class AccessControl:
    """Everything that decides about callers."""

    keys: KeyRing
    meter: RateMeter
    desk: KeyDesk
    audit: Audit
    metrics: AccessMetrics
    hosts: tuple[str, ...] = ()
    """Names that the server answers to; none: any."""
    origins: tuple[str, ...] = ()
    """Whose pages may call."""


class Access:
    """Asks for a key with the right scope, and counts the request.

    A key is a bearer token or ElevenLabs' `xi-api-key`. A socket's may be in its query, by the same names:
    browsers cannot send headers with a handshake.
    """

    def __init__(self, app: ASGIApp, *, access: AccessControl) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in CALLS:
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["caller"] = None
        wanted = asked("SOCKET" if scope["type"] == "websocket" else scope["method"], scope["path"])
        if wanted == "open":
            await self._app(scope, receive, send)
            return
        # of a caller that is not known nothing is told
        told = send
        try:
            state["caller"] = caller = self._caller(scope, wanted)
            told = self._telling(caller.key_id if caller else "", send)
            await self._access.meter.enter(caller.key_id if caller else "")
        except JuneError as refusal:
            await error_response(scope["path"], refusal)(scope, receive, told)
            return
        with structlog.contextvars.bound_contextvars(**({"key_id": caller.key_id} if caller else {})):
            await self._app(scope, receive, told)

    def _caller(self, scope: Scope, wanted: Asked) -> Caller | None:
        """Raises: Unauthorized, Forbidden."""
        if not self._access.keys.asks:
            self._refuse_other_sites(scope)
            return None
        caller = self._access.keys.find(*_sent(scope))
        if wanted not in ("any", "open", *caller.scopes):
            self._access.metrics.failures.labels("scope").inc()
            raise Forbidden(
                f"this API key lacks the scope {wanted}; it has {', '.join(sorted(caller.scopes))}"
            )
        return caller

    def _refuse_other_sites(self, scope: Scope) -> None:
        """A server without keys trusts whoever can connect, and so any page that its user's browser has open.

        Browsers ask before they send most things to another origin, but forms and sockets they send at once.
        """
        headers = Headers(scope=scope)
        if headers.get("sec-fetch-site") != "cross-site" or scope.get("method") in READS:
            return
        if not {"*", headers.get("origin", "").lower()} & {*self._access.origins}:
            self._access.metrics.failures.labels("origin").inc()
            raise Forbidden("pages of other origins may not call this server: name them in JUNE_CORS_ORIGINS")

    def _telling(self, key_id: str, send: Send) -> Send:
        """Adds what the caller has left, as it is when the reply begins."""

        async def told(message: Message) -> None:
            if message["type"] in REPLIES:
                try:
                    headers = rate_headers(self._access.meter.state(key_id))
                except JuneError:  # revoked while it was answered
                    headers = []
                if headers:
                    message = {**message, "headers": [*message.get("headers", ()), *headers]}
            await send(message)

        return told


def _sent(scope: Scope) -> tuple[str, str]:
    """Bearer token and `xi-api-key`, each empty where it is missing."""
    headers = Headers(scope=scope)
    query = QueryParams(scope["query_string"]) if scope["type"] == "websocket" else QueryParams()
    authorization = headers.get("authorization") or query.get("authorization") or ""
    scheme, _, token = authorization.partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return bearer, (headers.get("xi-api-key") or query.get("xi-api-key") or "").strip()
