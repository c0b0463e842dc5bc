"""Spans that one process notes and another records: engines behind a socket are part of the server's trace.

The process that notes them knows nothing of OpenTelemetry. Times are `time.monotonic()` seconds, which the
processes of a Linux machine share.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from june_tts.telemetry.tracing import Kind, Span, TraceContext, Unrecorded, Value

MOST_NOTED = 128
"""Spans of one call: a long text has four for each of its turns. They must fit the header of one frame."""


@dataclass(frozen=True, slots=True)
class Noted:
    """One span. The first of a call is what all others are within: of it only what was said of it counts."""

    name: str
    parent: int
    """Its place in the sequence, before this one's; -1 for the first."""
    began: float
    ended: float
    kind: Kind = "internal"
    attributes: Mapping[str, Value] = field(default_factory=dict)
    events: tuple[tuple[str, float], ...] = ()
    failed: str = ""
    """The code of the error that it ended in."""


class NotedSpan:
    """A `Span` that is only written down."""

    recording = True

    def __init__(self, notes: "Notes", parent: int, name: str, kind: Kind, at: float | None) -> None:
        self.context = notes.context
        self.number = notes.add(self)
        self._notes = notes
        self._parent = parent
        self._name = name
        self._kind: Kind = kind
        self._began = time.monotonic() if at is None else at
        self._ended: float | None = None
        self._attributes: dict[str, Value] = {}
        self._events: list[tuple[str, float]] = []
        self._failed = ""

    def child(
        self, name: str, *, at: float | None = None, kind: Kind = "internal", **attributes: Value
    ) -> Span:
        if self._notes.full:
            return Unrecorded(self.context)
        span = NotedSpan(self._notes, self.number, name, kind, at)
        span.set(**attributes)
        return span

    def set(self, **attributes: Value) -> None:
        self._attributes.update(attributes)

    def rename(self, name: str) -> None:
        self._name = name

    def event(self, name: str, *, at: float | None = None) -> None:
        self._events.append((name, time.monotonic() if at is None else at))

    def fail(self, code: str) -> None:
        self._failed = code

    def end(self, *, at: float | None = None) -> None:
        self._ended = time.monotonic() if at is None else at

    def noted(self, now: float) -> Noted:
        """One that has not ended ends now."""
        ended = now if self._ended is None else self._ended
        events = tuple(self._events)
        return Noted(
            self._name, self._parent, self._began, ended, self._kind, self._attributes, events, self._failed
        )


class Notes:
    """Those of one call. `span` is what the work is done within."""

    def __init__(self, context: TraceContext | None) -> None:
        """`context`: of the span of the other process; what is noted has the same, having no id yet."""
        self.context = context
        self._spans: list[NotedSpan] = []
        self.span = NotedSpan(self, -1, "", "internal", None)

    @property
    def full(self) -> bool:
        return len(self._spans) >= MOST_NOTED

    def add(self, span: NotedSpan) -> int:
        """Return its number."""
        self._spans.append(span)
        return len(self._spans) - 1

    def all(self) -> tuple[Noted, ...]:
        now = time.monotonic()
        return tuple(span.noted(now) for span in self._spans)


def record(noted: Sequence[Noted], within: Span) -> None:
    """Record what another process noted. `within`: the span that it worked for; not ended here."""
    spans: list[Span] = []
    for one in noted:
        if spans:
            span = spans[one.parent].child(one.name, at=one.began, kind=one.kind, **one.attributes)
        else:
            span = within
            span.set(**one.attributes)
        for name, at in one.events:
            span.event(name, at=at)
        if one.failed:
            span.fail(one.failed)
        spans.append(span)
    for span, one in reversed([*zip(spans, noted, strict=True)][1:]):
        span.end(at=one.ended)
