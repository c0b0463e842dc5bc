"""Spans recorded by OpenTelemetry's SDK and sent by OTLP over HTTP. Imported only where traces are on.

What is not a setting of ours is the SDK's own to read: `OTEL_EXPORTER_OTLP_HEADERS`,
`OTEL_RESOURCE_ATTRIBUTES`, `OTEL_BSP_*` and the rest.
"""

import asyncio
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace.span import TraceState

from june_tts.telemetry.tracing import Kind, Span, TraceContext, Unrecorded, Value

CLOSE_SECONDS = 3.0
"""For what is left to be sent when the server stops."""
_STANDARD = {
    "method": "http.request.method",
    "route": "http.route",
    "status_code": "http.response.status_code",
    "server": "server.address",
}
_KINDS = {
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
    "internal": trace.SpanKind.INTERNAL,
}


@dataclass(frozen=True, slots=True)
class TraceOptions:
    endpoint: str
    """Where spans are posted to."""
    service: str
    sampler: str
    """One of `SAMPLERS`."""
    share: float
    """Of the traces, what the samplers by ratio keep: 0 .. 1."""
    version: str = "0"


class OtelTraces:
    """One per process. `close` it."""

    def __init__(self, options: TraceOptions) -> None:
        resource = Resource.create({"service.name": options.service, "service.version": options.version})
        self._provider = TracerProvider(sampler=_sampler(options), resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(options.endpoint)))
        self._tracer = self._provider.get_tracer("june_tts", options.version)

    def request(self, name: str, caller: TraceContext | None, **attributes: Value) -> Span:
        parent = trace.set_span_in_context(trace.INVALID_SPAN if caller is None else _remote(caller))
        # of the whole trace, so that a clock that is set while it runs moves no span against another
        offset = time.time_ns() - time.monotonic_ns()
        return _begun(self._tracer, name, parent, None, "server", attributes, offset)

    async def close(self) -> None:
        """A collector that is away is not waited for longer than `CLOSE_SECONDS`."""
        # a thread that nobody joins: the loop's own pool would wait for the exporter's last try
        loop, closed = asyncio.get_running_loop(), asyncio.Event()

        def shut() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop has closed meanwhile: nobody waits for this any more
                loop.call_soon_threadsafe(closed.set)

        threading.Thread(target=shut, name="traces", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await closed.wait()


class OtelSpan:
    """A `Span` over one of the SDK's."""

    recording = True

    def __init__(self, tracer: trace.Tracer, span: trace.Span, offset: int) -> None:
        """`offset`: from the monotonic clock to the wall's, in ns."""
        self._tracer = tracer
        self._span = span
        self._offset = offset
        self.context = _context(span)

    def child(
        self, name: str, *, at: float | None = None, kind: Kind = "internal", **attributes: Value
    ) -> Span:
        parent = trace.set_span_in_context(self._span)
        return _begun(self._tracer, name, parent, at, kind, attributes, self._offset)

    def set(self, **attributes: Value) -> None:
        self._span.set_attributes({_named(name): value for name, value in attributes.items()})

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def event(self, name: str, *, at: float | None = None) -> None:
        self._span.add_event(name, timestamp=_ns(at, self._offset))

    def fail(self, code: str) -> None:
        self._span.set_attribute("error.type", code)
        self._span.set_status(trace.StatusCode.ERROR, code)

    def end(self, *, at: float | None = None) -> None:
        self._span.end(_ns(at, self._offset))


def _begun(
    tracer: trace.Tracer,
    name: str,
    parent: Context,
    at: float | None,
    kind: Kind,
    attributes: dict[str, Value],
    offset: int,
) -> Span:
    named = {_named(key): value for key, value in attributes.items()}
    span = tracer.start_span(name, parent, _KINDS[kind], named, start_time=_ns(at, offset))
    return OtelSpan(tracer, span, offset) if span.is_recording() else Unrecorded(_context(span))


def _named(name: str) -> str:
    """The standard's names as it writes them, and `june.` before what is ours alone."""
    return _STANDARD.get(name) or f"june.{name}"


def _ns(at: float | None, offset: int) -> int:
    return offset + (time.monotonic_ns() if at is None else round(at * 1e9))


def _context(span: trace.Span) -> TraceContext:
    told = span.get_span_context()
    state = told.trace_state.to_header()
    return TraceContext(f"{told.trace_id:032x}", f"{told.span_id:016x}", told.trace_flags.sampled, state)


def _remote(caller: TraceContext) -> trace.Span:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if caller.sampled else trace.TraceFlags.DEFAULT)
    state = TraceState.from_header([caller.state]) if caller.state else None
    ids = int(caller.trace_id, 16), int(caller.span_id, 16)
    return trace.NonRecordingSpan(trace.SpanContext(*ids, True, flags, state))


def _sampler(options: TraceOptions) -> Sampler:
    ratio = TraceIdRatioBased(options.share)
    known: dict[str, Sampler] = {
        "always_on": ALWAYS_ON,
        "always_off": ALWAYS_OFF,
        "traceidratio": ratio,
        "parentbased_always_on": ParentBased(ALWAYS_ON),
        "parentbased_always_off": ParentBased(ALWAYS_OFF),
        "parentbased_traceidratio": ParentBased(ratio),
    }
    return known[options.sampler]
