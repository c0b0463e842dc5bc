"""Watches one stream from request to end and tells metrics, log, trace and watchdog. Never sees the text."""

import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass
from typing import Literal, TypeVar

import structlog

from june_tts.telemetry.metrics import Metrics
from june_tts.telemetry.metrics.speech import SpeechMetrics
from june_tts.telemetry.progress import Progress
from june_tts.telemetry.tracing import current, exemplar, under

Status = Literal["success", "error", "cancelled"]
T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Totals:
    """Since the server started; what `/stats` and `/health` show."""

    requests: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    refused: int = 0
    characters: int = 0
    audio_seconds: float = 0.0
    latency_seconds: float = 0.0
    ttfa_seconds: float = 0.0
    active: int = 0


class Recorder:
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics.speech
        self.totals = Totals()
        self.spoken: Counter[str] = Counter()
        """Streams by voice since the server started, by the labels of the metrics."""
        self.progress = Progress()

    def refused(self, code: str) -> None:
        """A request was refused before it cost anything."""
        self.totals.refused += 1
        self._metrics.refused.labels(code).inc()

    def begin(self, request_id: str, voice_id: str, engine: str, characters: int | None) -> "Watch":
        """A stream was admitted; call `end` on what is returned exactly once.

        `characters`: None while the text is still being written; say so with `wrote` when it is known.
        """
        self.totals.requests += 1
        self.totals.active += 1
        self._metrics.active.inc()
        if characters is not None:
            self.wrote(characters)
        return Watch(self, self._metrics, request_id, voice_id, engine, live=characters is None)

    def recalled(self, request_id: str, voice_id: str, characters: int, seconds: float) -> None:
        """A request is answered with `seconds` of audio that were made before: no engine has a part in it."""
        self.totals.requests += 1
        self.totals.succeeded += 1
        self.wrote(characters)
        label = self._metrics.voice_label(voice_id)
        self._metrics.requests.labels(label, "success").inc()
        self.spoken[label] += 1
        log.info("phrase recalled", request_id=request_id, voice_id=voice_id, audio_seconds=round(seconds, 3))

    def wrote(self, characters: int) -> None:
        """How long a stream's text is."""
        self.totals.characters += characters
        self._metrics.text_length.observe(characters)


class Watch:
    """One stream. All times in seconds."""

    def __init__(
        self,
        recorder: Recorder,
        metrics: SpeechMetrics,
        request_id: str,
        voice_id: str,
        engine: str,
        *,
        live: bool,
    ) -> None:
        """`live`: its text is still being written, so that its duration says nothing of the engine."""
        self._recorder = recorder
        self._metrics = metrics
        self._request_id = request_id
        self._voice_id = voice_id
        self._engine = engine
        self._live = live
        self._began = time.monotonic()
        self._first: float | None = None
        self._last = self._began
        self._audio = 0.0
        self._span = current().child("speak", engine=engine, voice_id=voice_id)
        self._progress = recorder.progress.stream(engine)

    def spoken(self, chunks: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """What the engine makes, in the span of this stream."""
        return under(self._span, chunks) if self._span.recording else chunks

    def read(self, pieces: AsyncIterable[T]) -> AsyncIterable[T]:
        """The text on its way into the engine: while that waits for its writer, no audio is missed."""
        return self._progress.read(pieces) if self._live else pieces

    def asked(self) -> None:
        """The reader has taken what there was and wants more."""
        self._progress.asked()

    def chunk(self, seconds: float) -> None:
        """A chunk of audio was made."""
        now = time.monotonic()
        self._progress.made()
        if self._first is None:
            self._first = now
            self._span.event("first_audio", at=now)
            self._metrics.ttfa.labels(self._engine).observe(now - self._began, exemplar(self._span))
        else:
            self._metrics.gap.labels(self._engine).observe(now - self._last)
            if now > self._first + self._audio:
                self._metrics.underruns.labels(self._engine).inc()
        self._last = now
        self._audio += seconds
        self._metrics.audio.labels(self._engine).inc(seconds)

    def failed(self, error: Exception) -> None:
        """Why it will end in an error."""
        self._span.fail(getattr(error, "code", "internal"))

    def end(self, status: Status) -> None:
        """The stream is over."""
        took = time.monotonic() - self._began
        self._progress.over()
        self._span.set(status=status, audio_seconds=round(self._audio, 3))
        self._span.end()
        label = self._metrics.voice_label(self._voice_id)
        self._metrics.active.dec()
        self._metrics.requests.labels(label, status).inc()
        self._recorder.spoken[label] += 1
        self._total(status, took)
        if status == "success" and not self._live:
            self._metrics.latency.labels(label).observe(took, exemplar(self._span))
            if self._audio:
                self._metrics.rtf.labels(self._engine).observe(took / self._audio)
        log.info(
            "utterance ended",
            request_id=self._request_id,
            voice_id=self._voice_id,
            engine=self._engine,
            status=status,
            seconds=round(took, 3),
            ttfa_seconds=None if self._first is None else round(self._first - self._began, 3),
            audio_seconds=round(self._audio, 3),
        )

    def _total(self, status: Status, took: float) -> None:
        totals = self._recorder.totals
        totals.active -= 1
        totals.audio_seconds += self._audio
        if status == "success":
            totals.succeeded += 1
            totals.latency_seconds += took
            totals.ttfa_seconds += (self._first or self._last) - self._began
        elif status == "cancelled":
            totals.cancelled += 1
        else:
            totals.failed += 1
