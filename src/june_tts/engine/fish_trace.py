"""A turn's spans: what the engine's process tells of its times, as parts of the server's trace.

The process knows nothing of OpenTelemetry. It says when the turn came, by the monotonic clock that the
processes of a machine share, and how much later what happened.
"""

import time

from june_tts.fish.events import Done
from june_tts.telemetry.tracing import Span, current

CLOCK_SLACK_SECONDS = 0.001


class TurnSpan:
    """One turn in the process; `end` it exactly once, `done` before where it came so far."""

    def __init__(self, positions: int) -> None:
        """`positions`: of the prompt."""
        self._began = time.monotonic()
        self._span = current().child("turn", kind="client", positions=positions)

    @property
    def traceparent(self) -> str:
        """What the process is told, for its log; empty where nobody traces it."""
        return "" if self._span.context is None else self._span.context.traceparent

    def done(self, done: Done) -> None:
        if self._span.recording:
            self._span.set(frames=done.frames, steps=done.steps, stop=str(done.stop))
            _inside(self._span, done, self._began)

    def end(self) -> None:
        self._span.end()


def _inside(span: Span, done: Done, began: float) -> None:
    times = done.timings
    came = times.came if began - CLOCK_SLACK_SECONDS <= times.came <= time.monotonic() else began
    for name, start, end in (
        ("slot wait", 0.0, times.admitted),
        ("prefill", times.admitted, times.first_frame),
        ("frames", times.first_frame, times.last_frame),
    ):
        if start is not None and end is not None:
            span.child(name, at=came + start).end(at=came + end)
    if times.first_audio is not None:
        span.event("first_audio", at=came + times.first_audio)
