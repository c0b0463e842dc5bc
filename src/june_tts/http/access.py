"""Who calls: finds the key in what was sent and puts its caller at `scope["state"]["caller"]`."""

import hmac

from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from june_tts.errors import Unauthorized
from june_tts.http.errors import error_response
from june_tts.http.middleware import CALLS
from june_tts.types import SCOPES, Caller

SETTINGS_CALLER = Caller("settings", "JUNE_API_KEY", frozenset(SCOPES))
"""Whoever sends the key of the settings: it may do everything."""


class Access:
    """Asks for the key on the paths under `protected`: as a bearer token, or as ElevenLabs' `xi-api-key`.

    A socket's may be in its query, by the same names: browsers cannot send headers with a handshake.
    The caller is None where nothing is asked for.
    """

    def __init__(self, app: ASGIApp, *, api_key: str | None, protected: tuple[str, ...]) -> None:
        self._app = app
        self._api_key = api_key
        self._protected = protected

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in CALLS:
            caller: Caller | None = None
            if self._api_key and scope["path"].startswith(self._protected):
                refusal = _refusal(_sent(scope), self._api_key)
                if refusal:
                    await error_response(scope["path"], refusal)(scope, receive, send)
                    return
                caller = SETTINGS_CALLER
            scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)


def _sent(scope: Scope) -> tuple[str, str]:
    """Bearer token and `xi-api-key`, each empty where it is missing."""
    headers = Headers(scope=scope)
    query = QueryParams(scope["query_string"]) if scope["type"] == "websocket" else QueryParams()
    authorization = headers.get("authorization") or query.get("authorization") or ""
    scheme, _, token = authorization.partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return bearer, (headers.get("xi-api-key") or query.get("xi-api-key") or "").strip()


def _refusal(sent: tuple[str, str], api_key: str) -> Unauthorized | None:
    if any(hmac.compare_digest(key.encode(errors="replace"), api_key.encode()) for key in sent):
        return None
    what = "wrong" if any(sent) else "missing"
    return Unauthorized(f"the API key is {what}: send `Authorization: Bearer <key>` or `xi-api-key: <key>`")
