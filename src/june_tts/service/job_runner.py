"""Works on jobs, a passage at a time, as long as the server runs; another server goes on where it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar
from uuid import uuid4

import structlog

from june_tts.errors import EngineFailed, JuneError, NothingToSpeak, StoreUnavailable
from june_tts.jobs import Failure, HeldJob, Hold, Job, JobLost, JobPiece, JobRules
from june_tts.ports import JobStore
from june_tts.service.job_encoding import encoded
from june_tts.service.job_speech import Speaks, Spoken, spoken
from june_tts.service.terms import Terms, terms
from june_tts.telemetry.metrics.jobs import JobMetrics
from june_tts.text import Passage, passage
from june_tts.types import SpeechRequest

TRIES = 3
"""Of one passage that the engine fails at."""
MOST_CLAIMS = 5
"""Of a job without a passage kept in between: it ends whatever process works on it."""
LONGEST_PAUSE_SECONDS = 30.0
"""Between two tries of what cannot be done just now."""
SWEEP_SECONDS = 60.0
BREATH_SECONDS = 0.02
"""Between two deletions, for others who wait to write."""

log = structlog.get_logger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunnerRules:
    at_once: int = 1
    """Jobs that this server works on; 0: others do."""
    hold_seconds: float = 15.0
    """After its last word, another server takes its jobs over."""
    passage_chars: int = 1000
    pause_seconds: float = 1.0
    """Before what cannot be done just now is tried again; twice as long each time."""


class Stops(Protocol):
    """What is asked of admission."""

    @property
    def draining(self) -> bool: ...


class Stopping(Exception):
    """The server ends; the job goes on elsewhere."""


class JobRunner:
    def __init__(
        self,
        store: JobStore,
        synthesizer: Speaks,
        admission: Stops,
        metrics: JobMetrics,
        rules: RunnerRules,
        kept: JobRules,
    ) -> None:
        self._store = store
        self._synthesizer = synthesizer
        self._admission = admission
        self._metrics = metrics
        self._rules = rules
        self.kept = kept
        """How many ended jobs there may be, and how long."""
        self._name = uuid4().hex
        self._loops: list[asyncio.Task[None]] = []
        self._working: dict[str, asyncio.Task[Job]] = {}
        self._woken = asyncio.Event()
        self._untidy = asyncio.Event()
        self._stopping = asyncio.Event()
        self._away = False
        self.trouble: dict[str, JuneError] = {}
        """What jobs that are worked on here wait for to pass."""
        metrics.watch(lambda: len(self._working))

    def start(self) -> None:
        loops = [self._run() for _ in range(self._rules.at_once)]
        self._loops = [asyncio.create_task(loop) for loop in [*loops, self._sweeping()]]

    async def close(self, seconds: float) -> None:
        """Take no more; let each passage under way come to its end for so long, then leave it to others."""
        self._stopping.set()
        self._woken.set()
        self._untidy.set()
        if self._loops:
            await asyncio.wait(self._loops, timeout=max(0.0, seconds))
        for working in self._working.values():
            working.cancel()
        # giving a job back takes as long as the database, which has limits of its own
        await asyncio.gather(*self._loops, return_exceptions=True)

    def wake(self) -> None:
        """There is a new job."""
        self._woken.set()

    def drop(self, job_id: str) -> None:
        """It was ended from outside."""
        if job_id in self._working:
            self._working[job_id].cancel()
        self._untidy.set()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            held = await self._claimed()
            if held is not None:
                await self._work(held)
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._rules.hold_seconds / 3)
            self._woken.clear()

    async def _claimed(self) -> HeldJob | None:
        if self._admission.draining:
            return None
        try:
            held = await self._store.claim(self._name, self._rules.hold_seconds)
        except StoreUnavailable as error:
            self._is_away(error)
            return None
        self._is_back()
        return held

    async def _work(self, held: HeldJob) -> None:
        job, hold = held.job, Hold(held.job.id, self._name, self._rules.hold_seconds)
        log.info("job begun", job=job.id, spoken=job.spoken, characters=job.characters)
        working = asyncio.create_task(self._done(held, hold))
        self._working[job.id] = working
        renewing = asyncio.create_task(self._renewing(hold, working))
        await asyncio.wait({working})
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        try:
            await self._settle(hold, working)
        except (JobLost, Stopping):
            await self._give_back(hold)
        finally:
            del self._working[job.id]
            self.trouble.pop(job.id, None)
            self._untidy.set()

    async def _settle(self, hold: Hold, working: "asyncio.Task[Job]") -> None:
        if working.cancelled():
            raise Stopping
        fault = working.exception()
        if fault is None:
            self._ended(working.result())
        elif isinstance(fault, JobLost | Stopping):
            raise fault
        else:
            failure = _failure(fault)
            log.error("job failed", job=hold.job_id, code=failure.code, exc_info=_unknown(fault))
            self._ended(await self._kept_trying(hold, lambda: self._store.fail(hold, failure)))

    def _ended(self, job: Job) -> None:
        self._metrics.ended.labels(job.state).inc()
        log.info("job ended", job=job.id, state=job.state, pieces=job.pieces, audio_bytes=job.audio_bytes)

    async def _give_back(self, hold: Hold) -> None:
        # where the database is away, the others wait until the hold is over
        with suppress(StoreUnavailable):
            await self._store.release(hold)
        log.info("job left to others", job=hold.job_id)

    async def _renewing(self, hold: Hold, working: "asyncio.Task[Job]") -> None:
        while True:
            await asyncio.sleep(hold.seconds / 3)
            try:
                await self._store.renew(hold)
            except JobLost:
                working.cancel()
                return
            except StoreUnavailable:
                continue  # whoever keeps the next piece finds out

    async def _done(self, held: HeldJob, hold: Hold) -> Job:
        if held.tries > MOST_CLAIMS:
            raise EngineFailed(f"{held.tries - 1} servers ended while they spoke the next piece of this job")
        job = await self._all_pieces(held, hold)
        if not job.pieces:
            raise NothingToSpeak("nothing in the text makes a sound in this voice", param="text")
        result = await encoded(
            job,
            lambda number: self._kept_trying(hold, lambda: self._store.piece(hold, number)),
            lambda number, data: self._kept_trying(hold, lambda: self._store.keep_audio(hold, number, data)),
        )
        first = bytes(result.first)
        return await self._kept_trying(
            hold, lambda: self._store.finish(hold, first, result.blocks, result.audio_bytes)
        )

    async def _all_pieces(self, held: HeldJob, hold: Hold) -> Job:
        job = held.job
        at = job.spoken
        while (part := passage(held.speech.text, at, self._rules.passage_chars)) is not None:
            if self._stopping.is_set():
                raise Stopping
            made = await self._spoken(held, job, part)
            at = part.stop
            if made is not None and made.pcm:
                piece = JobPiece(job.pieces, part.stop, made.sample_rate, bytes(made.pcm))
                job = await self._keep(hold, piece)
        return job

    async def _keep(self, hold: Hold, piece: JobPiece) -> Job:
        kept = await self._kept_trying(hold, lambda: self._store.keep_piece(hold, piece))
        self._metrics.pieces.labels("success").inc()
        return kept

    async def _spoken(self, held: HeldJob, job: Job, part: Passage) -> Spoken | None:
        """None where nothing of it has a sound in this voice.

        Raises:
            JuneError: it never will be spoken.
        """
        speech = _of(held, job, part)
        failures = 0
        while True:
            try:
                with terms(Terms(job.owner, "batch")):
                    return await spoken(
                        self._synthesizer, speech, part.pause, last=part.last, sample_rate=job.piece_rate
                    )
            except NothingToSpeak:
                return None
            except JuneError as error:
                failed = isinstance(error, EngineFailed)
                failures += failed
                if failed:
                    self._metrics.pieces.labels("error").inc()
                if not error.retryable or failures >= TRIES:
                    raise
                await self._pause(job.id, error, self._rules.pause_seconds * 2**failures)

    async def _kept_trying(self, hold: Hold, call: Callable[[], Awaitable[T]]) -> T:
        """What was made is not given up because the database is away, or full."""
        pause = self._rules.pause_seconds
        while True:
            try:
                done = await call()
            except StoreUnavailable as error:
                self._is_away(error)
                await self._pause(hold.job_id, error, pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            self._is_back()
            self.trouble.pop(hold.job_id, None)
            return done

    async def _pause(self, job_id: str, error: JuneError, seconds: float) -> None:
        """Raises: Stopping."""
        self.trouble[job_id] = error
        with suppress(TimeoutError):
            wait = min(error.retry_after or seconds, LONGEST_PAUSE_SECONDS)
            await asyncio.wait_for(self._stopping.wait(), wait)
        if self._stopping.is_set() or self._admission.draining:
            raise Stopping

    async def _sweeping(self) -> None:
        while not self._stopping.is_set():
            # before, not after: what becomes untidy meanwhile is for the next round
            self._untidy.clear()
            try:
                more = True
                while more and not self._stopping.is_set():
                    more = await self._store.sweep(self.kept.kept, self.kept.kept_seconds)
                    await asyncio.sleep(BREATH_SECONDS)
            except StoreUnavailable as error:
                self._is_away(error)
            if not self._stopping.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._untidy.wait(), SWEEP_SECONDS)

    def _is_away(self, error: StoreUnavailable) -> None:
        if not self._away:
            log.warning("jobs wait for the database", reason=str(error))
        self._away = True

    def _is_back(self) -> None:
        if self._away:
            log.info("jobs go on")
        self._away = False


def _of(held: HeldJob, job: Job, part: Passage) -> SpeechRequest:
    return replace(held.speech, text=part.text, request_id=f"{job.id}.{job.pieces}")


def failure_of(error: JuneError) -> Failure:
    return Failure(error.code, str(error), error.param, error.retryable)


def _failure(fault: BaseException) -> Failure:
    if isinstance(fault, JuneError):
        return failure_of(fault)
    return Failure("internal", "june-tts failed on this job; its log says why", None, False)


def _unknown(fault: BaseException) -> BaseException | None:
    """What the log should show in full."""
    return None if isinstance(fault, JuneError) else fault
