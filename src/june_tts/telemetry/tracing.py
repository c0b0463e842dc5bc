"""One request's way as spans, without OpenTelemetry: `otel.py` records them, where that is wanted.

What a span belongs to is found by `current()`, so that nothing has to be handed through that is made for
tracing alone. Times are `time.monotonic()` seconds, which every process of a Linux machine shares.
"""

import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

Value = str | int | float | bool
Kind = Literal["server", "client", "internal"]
T = TypeVar("T")

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_MOST_STATE_CHARS = 512
"""Of a `tracestate`: what the standard asks everybody to carry at least."""


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Which span of which trace something belongs to, as W3C's `traceparent` says it."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 of them."""
    sampled: bool
    state: str = ""
    """`tracestate`, passed on unread."""

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


class Span(Protocol):
    """A stretch of time with a name. `end` it exactly once. Never raises."""

    @property
    def context(self) -> TraceContext | None:
        """None where nobody traces this request."""
        ...

    @property
    def recording(self) -> bool:
        """Whether anybody will see it."""
        ...

    def child(
        self, name: str, *, at: float | None = None, kind: Kind = "internal", **attributes: Value
    ) -> "Span":
        """A span within this one, begun now unless `at` is given."""
        ...

    def set(self, **attributes: Value) -> None: ...

    def rename(self, name: str) -> None: ...

    def event(self, name: str, *, at: float | None = None) -> None: ...

    def fail(self, code: str) -> None:
        """It ends in an error of this code. Never the words of an error: they may repeat a user's."""
        ...

    def end(self, *, at: float | None = None) -> None: ...


class Unrecorded:
    """Records nothing; a caller's trace goes on through it all the same."""

    recording = False

    def __init__(self, context: TraceContext | None = None) -> None:
        self.context = context

    def child(
        self, name: str, *, at: float | None = None, kind: Kind = "internal", **attributes: Value
    ) -> "Unrecorded":
        return self

    def set(self, **attributes: Value) -> None: ...

    def rename(self, name: str) -> None: ...

    def event(self, name: str, *, at: float | None = None) -> None: ...

    def fail(self, code: str) -> None: ...

    def end(self, *, at: float | None = None) -> None: ...


NO_SPAN = Unrecorded()


class Traces(Protocol):
    """Where traces begin."""

    def request(self, name: str, caller: TraceContext | None, **attributes: Value) -> Span:
        """The span of a whole request, in its caller's trace where it came with one."""
        ...

    async def close(self) -> None:
        """Send what was recorded, within a limit."""
        ...


class NoTraces:
    """Nothing is recorded."""

    def request(self, name: str, caller: TraceContext | None, **attributes: Value) -> Span:
        return NO_SPAN if caller is None else Unrecorded(caller)

    async def close(self) -> None:
        """Nothing to send."""


_current: ContextVar[Span] = ContextVar("june_span", default=NO_SPAN)


def current() -> Span:
    """The span that what runs now belongs to."""
    return _current.get()


@contextmanager
def as_current(span: Span) -> Iterator[None]:
    """Inside, and in tasks begun there, this is the current span. Not for generators: see `under`."""
    token = _current.set(span)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def within(name: str) -> Iterator[None]:
    """A span of the current one for as long as this takes. Not around a `yield` of a generator."""
    span = current().child(name)
    try:
        yield
    except Exception as error:
        span.fail(getattr(error, "code", "internal"))
        raise
    finally:
        span.end()


async def under(span: Span, items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """A generator whose own code has `span` as the current one; whoever reads it keeps theirs."""
    async with aclosing(items):
        while True:
            token = _current.set(span)
            try:
                item = await anext(items)
            except StopAsyncIteration:
                return
            finally:
                _current.reset(token)
            yield item


def read_traceparent(parent: str, state: str = "") -> TraceContext | None:
    """Of a request's headers; None where there is none or it is not as the standard says."""
    found = _TRACEPARENT.fullmatch(parent)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    printable = len(state) <= _MOST_STATE_CHARS and state.isascii() and state.isprintable()
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & 1), state if printable else "")


def outgoing(context: TraceContext | None) -> dict[str, str]:
    """Headers of a request to another server."""
    if context is None:
        return {}
    state = {"tracestate": context.state} if context.state else {}
    return {"traceparent": context.traceparent} | state


def exemplar(span: Span) -> dict[str, str] | None:
    """What leads from a number to the trace of a request that made it; None where nobody keeps the trace."""
    context = span.context
    return {"trace_id": context.trace_id} if context is not None and context.sampled else None
