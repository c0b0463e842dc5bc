"""What every request leaves behind: a span, counts and, where wanted, a line in the log. Never its words."""

import time
from dataclasses import dataclass
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from june_tts.audio.formats import MEDIA_TYPES
from june_tts.http.middleware import CALLS, REPLIES
from june_tts.telemetry.metrics.http import HttpMetrics
from june_tts.telemetry.tracing import NO_SPAN, Span, Traces, as_current, exemplar, read_traceparent

FORMATS = {media_type.partition(";")[0].lower(): name for name, media_type in MEDIA_TYPES.items()}
"""Media types of speech to its format; other replies have none."""
NO_FORMAT = "none"
NO_ROUTE = "none"
"""In place of an API and a route where there is no such path."""
PROBED = ("/health", "/metrics")
"""Asked every few seconds by machines: no traces of their own."""
LOST = 500
"""The status of what raised: the last handler answers it, outside of here."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Reply:
    status: int = LOST
    socket: bool = False
    """A WebSocket was accepted and counted as open."""


class Observed:
    """Behind `RequestIds`, before everything that may refuse a request."""

    def __init__(self, app: ASGIApp, *, traces: Traces, metrics: HttpMetrics, access_log: bool) -> None:
        self._app = app
        self._traces = traces
        self._metrics = metrics
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in CALLS:
            await self._app(scope, receive, send)
            return
        span = self._begun(scope)
        if span.context is None:
            await self._answered(scope, receive, send, span)
            return
        with as_current(span), structlog.contextvars.bound_contextvars(trace_id=span.context.trace_id):
            await self._answered(scope, receive, send, span)

    def _begun(self, scope: Scope) -> Span:
        headers = Headers(scope=scope)
        parent = headers.get("traceparent")
        caller = read_traceparent(parent, headers.get("tracestate", "")) if parent else None
        if caller is None and scope["path"].startswith(PROBED):
            return NO_SPAN
        method = scope.get("method", "WEBSOCKET")
        return self._traces.request(method, caller, method=method, request_id=scope["state"]["request_id"])

    async def _answered(self, scope: Scope, receive: Receive, send: Send, span: Span) -> None:
        began = time.monotonic()
        reply = _Reply()

        async def watched_send(message: Message) -> None:
            if message["type"] in REPLIES:
                self._replies(scope, message, reply, span, time.monotonic() - began)
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        finally:
            self._over(scope, reply, span, time.monotonic() - began)

    def _replies(self, scope: Scope, message: Message, reply: _Reply, span: Span, seconds: float) -> None:
        headers = MutableHeaders(scope=message)
        if span.context is not None:
            headers["x-trace-id"] = span.context.trace_id
        api = api_of(scope)
        reply.status = message.get("status", 101)
        if message["type"] == "websocket.accept":
            reply.socket = True
            self._metrics.sockets.labels(api).inc()
            return
        format = FORMATS.get(headers.get("content-type", "").partition(";")[0].lower(), NO_FORMAT)
        self._metrics.first_byte.labels(api, format).observe(seconds, exemplar(span))

    def _over(self, scope: Scope, reply: _Reply, span: Span, seconds: float) -> None:
        api = api_of(scope)
        self._metrics.requests.labels(api, reply.status).inc()
        if reply.socket:
            self._metrics.sockets.labels(api).dec()
        if not (span.recording or self._access_log):
            return
        route, method = route_of(scope), scope.get("method", "WEBSOCKET")
        key_id = _key_id(scope)
        if span.recording:
            span.rename(f"{method} {route}")
            span.set(route=route, status_code=reply.status)
            if key_id:
                span.set(key_id=key_id)
            if reply.status >= 500:
                span.fail(str(reply.status))
            span.end()
        if self._access_log:
            log.info(
                "request",
                method=method,
                route=route,
                status=reply.status,
                ms=round(1000 * seconds, 1),
                key_id=key_id or None,
            )


def api_of(scope: Scope) -> str:
    """The API that answers: `openai`, `fish`, …, from the name of the file that its route is in."""
    endpoint = scope.get("endpoint")
    module: str = getattr(endpoint, "__module__", "")
    _, found, name = module.rpartition(".routes.")
    return name.partition("_")[0] if found else NO_ROUTE


def route_of(scope: Scope) -> str:
    """The path as it is written in the code: ids of callers' stay out."""
    path: str = getattr(scope.get("route"), "path", "")
    return path or NO_ROUTE


def _key_id(scope: Scope) -> str:
    caller: Any = scope["state"].get("caller")
    return "" if caller is None else str(caller.key_id)
