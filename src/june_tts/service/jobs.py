"""Jobs as callers see them: made, listed, ended, and their audio."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Protocol
from uuid import uuid4

from june_tts.audio.formats import pick_rate
from june_tts.errors import InvalidRequest, JobNotFound, JobUnfinished, Overloaded, shown
from june_tts.jobs import BLOCK_BYTES, OPEN, Job, JobRules, JobState, NewJob
from june_tts.ports import JobStore
from june_tts.service.job_runner import JobRunner, Stops, failure_of
from june_tts.telemetry.metrics.jobs import JobMetrics
from june_tts.types import Format, SpeechRequest, Voice

ANY_RATE = 24_000
"""Stands for the engine's rate where only the asked one is checked."""
LONGEST_TITLE = 200
RETRY_SECONDS = 1.0


class Checks(Protocol):
    """What is asked of synthesis."""

    async def check(self, request: SpeechRequest, longest: int | None = None) -> Voice: ...


class Jobs:
    """`viewer`, wherever it is asked for: whose jobs are there, by the id of their key; None: everybody's."""

    def __init__(
        self,
        store: JobStore,
        synthesizer: Checks,
        runner: JobRunner,
        admission: Stops,
        metrics: JobMetrics,
        rules: JobRules,
        *,
        characters: int,
    ) -> None:
        """`characters`: of the longest text."""
        self._store = store
        self._synthesizer = synthesizer
        self.runner = runner
        self._admission = admission
        self._metrics = metrics
        self._rules = rules
        self._characters = characters

    def change(self, rules: JobRules, *, characters: int) -> None:
        """Other rules from now on, also for jobs that are there."""
        self._rules, self._characters = rules, characters
        self.runner.kept = rules

    @property
    def kept_seconds(self) -> float:
        """How long a job is there after its end."""
        return self._rules.kept_seconds

    async def submit(
        self, owner: str, title: str | None, speech: SpeechRequest, format: Format, sample_rate: int | None
    ) -> Job:
        """Keep a text, to be spoken when its turn comes, whatever becomes of this server.

        Raises:
            InvalidRequest: one of its kinds: it could never be spoken.
            Overloaded: its owner has enough open jobs, or the server is stopping.
            StoreUnavailable: it may have been kept all the same.
        """
        if self._admission.draining:
            raise Overloaded("this server is stopping: try another one", retry_after=RETRY_SECONDS)
        if title is not None and not (title.isprintable() and len(title) <= LONGEST_TITLE):
            raise InvalidRequest(
                f"title is {shown(title)}: expected up to {LONGEST_TITLE} printable characters", param="title"
            )
        pick_rate(format, ANY_RATE, sample_rate)
        # no database keeps these, and nobody hears them
        speech = replace(speech, text=speech.text.replace("\0", " "))
        await self._synthesizer.check(speech, self._characters)
        job = NewJob(uuid4().hex, owner, title, speech, format, sample_rate)
        kept = await self._store.add(job, self._rules.waiting)
        self.runner.wake()
        return kept

    async def get(self, job_id: str, viewer: str | None) -> Job:
        """Raises: JobNotFound, also where it is another's."""
        return self._told(await self._seen(job_id, viewer))

    async def list(
        self, viewer: str | None, states: Sequence[JobState], before: str | None, count: int
    ) -> list[Job]:
        """The newest first, those older than the job `before`. Raises: JobNotFound, where that is none."""
        if before is not None:
            await self._seen(before, viewer)
        return [self._told(job) for job in await self._store.list(viewer, states, before, count)]

    async def cancel(self, job_id: str, viewer: str | None) -> Job:
        """End it now, where it has not ended. Raises: JobNotFound."""
        before = await self._seen(job_id, viewer)
        after = await self._store.cancel(job_id)
        if before.state in OPEN and after.state == "cancelled":
            self._metrics.ended.labels("cancelled").inc()
        self.runner.drop(job_id)
        return after

    async def remove(self, job_id: str, viewer: str | None) -> None:
        """End it, and forget it with its audio. Raises: JobNotFound."""
        before = await self._seen(job_id, viewer)
        await self._store.remove(job_id)
        if before.state in OPEN:
            self._metrics.ended.labels("cancelled").inc()
        self.runner.drop(job_id)

    async def finished(self, job_id: str, viewer: str | None) -> tuple[Job, int]:
        """A job that has audio, and its bytes. Raises: JobNotFound, JobUnfinished."""
        job = await self._seen(job_id, viewer)
        if job.audio_bytes is None:
            raise JobUnfinished(f"the job is {job.state}: audio is there when it is done", param="job_id")
        return job, job.audio_bytes

    async def read(self, job_id: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` up to `stop` of a job's audio. Raises: JobNotFound, once it is gone."""
        for number in range(start // BLOCK_BYTES, -(-stop // BLOCK_BYTES)):
            begin = number * BLOCK_BYTES
            block = await self._store.audio(job_id, number)
            yield block[max(0, start - begin) : stop - begin]

    async def _seen(self, job_id: str, viewer: str | None) -> Job:
        job = await self._store.get(job_id)
        if viewer not in (None, job.owner):
            raise JobNotFound(f"no job has the id {shown(job_id)}", param="job_id")
        return job

    def _told(self, job: Job) -> Job:
        """With what it waits for, where that is known here."""
        trouble = self.runner.trouble.get(job.id)
        if trouble is None or job.state not in OPEN:
            return job
        return replace(job, failure=failure_of(trouble))
