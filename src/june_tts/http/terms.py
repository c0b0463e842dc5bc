"""On what terms a request is served, from its headers: `X-Priority`, `X-Request-Deadline-Ms`, and its key."""

import re
import time
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from june_tts.errors import InvalidRequest, shown
from june_tts.http.errors import error_response
from june_tts.service.terms import PRIORITIES, Priority, Terms, terms

DEADLINE = "x-request-deadline-ms"
PRIORITY = "x-priority"
MOST_DEADLINE_MS = 3_600_000


class RequestTerms:
    """Puts the terms of each request where admission finds them.

    A deadline is for one request: it means nothing to a socket, which speaks many turns.
    """

    def __init__(self, app: ASGIApp, *, deadline_ms: Callable[[], int]) -> None:
        """`deadline_ms`: of requests that name none, as it is when they come; 0: none."""
        self._app = app
        self._deadline_ms = deadline_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            given = self._terms(scope)
        except InvalidRequest as refusal:
            await error_response(scope["path"], refusal)(scope, receive, send)
            return
        with terms(given):
            await self._app(scope, receive, send)

    def _terms(self, scope: Scope) -> Terms:
        headers = Headers(scope=scope)
        caller = scope.get("state", {}).get("caller")
        wanted = _deadline_ms(headers.get(DEADLINE), self._deadline_ms())
        deadline = time.monotonic() + wanted / 1000 if wanted and scope["type"] == "http" else None
        return Terms(caller.key_id if caller else "", _priority(headers.get(PRIORITY)), deadline)


def _priority(sent: str | None) -> Priority:
    if sent is None:
        return "interactive"
    for priority in PRIORITIES:
        if sent.strip().lower() == priority:
            return priority
    raise InvalidRequest(f"X-Priority is {shown(sent)}: expected {', '.join(PRIORITIES)}", param="X-Priority")


def _deadline_ms(sent: str | None, usual: int) -> int:
    if sent is None:
        return usual
    # ASCII alone: other digits are digits to int() as well
    if re.fullmatch("[0-9]{1,7}", sent.strip()) and 1 <= (wanted := int(sent)) <= MOST_DEADLINE_MS:
        return wanted
    raise InvalidRequest(
        f"X-Request-Deadline-Ms is {shown(sent)}: expected whole milliseconds from 1 to {MOST_DEADLINE_MS:,}",
        param="X-Request-Deadline-Ms",
    )
