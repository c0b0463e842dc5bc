"""What keeps jobs, and what works on them."""

import time
from contextlib import AsyncExitStack

from june_tts.http.services import Services
from june_tts.jobs import JobRules
from june_tts.ports import JobStore
from june_tts.service.job_runner import JobRunner, RunnerRules
from june_tts.service.jobs import Jobs
from june_tts.settings import Settings

PASSAGE_CHARS = 1000
"""A minute of speech: what a killed server loses at most."""


def jobs_of(settings: Settings, services: Services, store: JobStore, stack: AsyncExitStack) -> Jobs:
    """Started; on leaving the stack a passage may come to its end, as long as draining may take."""
    admission, metrics = services.admission, services.metrics.jobs
    kept = job_rules(settings)
    rules = RunnerRules(
        at_once=settings.jobs_at_once,
        hold_seconds=settings.job_hold_seconds,
        passage_chars=min(PASSAGE_CHARS, settings.max_text_chars),
    )
    runner = JobRunner(store, services.synthesizer, admission, metrics, rules, kept)

    async def drain() -> None:
        spent = time.monotonic() - (admission.draining_since or time.monotonic())
        await runner.close(settings.drain_seconds - spent)

    stack.push_async_callback(drain)
    runner.start()
    return Jobs(store, services.synthesizer, runner, admission, metrics, kept, characters=settings.job_chars)


def job_rules(settings: Settings) -> JobRules:
    return JobRules(settings.jobs_waiting, settings.jobs_kept, settings.job_keep_hours * 3600)
