"""What works on jobs: engines that fail, a database that is away, servers that stop, passages that join."""

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
import soundfile
from tests.jobs_alone import jobs_alone
from tests.live_server import becomes

from june_tts.errors import EngineFailed, JuneError, Overloaded, StoreUnavailable, VoiceNotFound
from june_tts.jobs import BLOCK_BYTES, Failure, Hold, Job, JobPiece, JobRules, NewJob
from june_tts.service.job_runner import MOST_CLAIMS, JobRunner, RunnerRules
from june_tts.service.terms import current_terms
from june_tts.store.jobs import SqlJobStore
from june_tts.telemetry.metrics import Metrics
from june_tts.types import AudioChunk, SpeechRequest

pytestmark = pytest.mark.unit

RATE = 8_000
PARAGRAPHS = "\n\n".join(f"Paragraph {n} has two sentences. This is the other one." for n in range(8))
RULES = RunnerRules(passage_chars=100, pause_seconds=0.01)


class Speaker:
    """A second of noise for each passage, with silence around it; does as it is told before some of them."""

    draining = False

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.faults: list[JuneError] = []
        """Raised one by one, before anything else is spoken."""
        self.gate = asyncio.Event()
        self.gate.set()
        self.terms: set[tuple[str, str]] = set()

    async def stream(self, request: SpeechRequest) -> AsyncGenerator[AudioChunk, None]:
        self.terms.add((current_terms().priority, current_terms().caller))
        if self.faults:
            raise self.faults.pop(0)
        await self.gate.wait()
        self.spoken.append(request.text)
        noise = np.random.default_rng(len(request.text)).uniform(-0.5, 0.5, RATE).astype(np.float32)
        quiet = np.zeros(RATE // 2, np.float32)
        for samples in (quiet, noise, quiet):
            yield AudioChunk(samples, RATE)


class Flaky(SqlJobStore):
    """A database that is away for the next so many calls that keep something."""

    away = 0
    calls = 0

    def _fail(self) -> None:
        self.calls += 1
        if self.away:
            self.away -= 1
            raise StoreUnavailable("the database is away")

    async def keep_piece(self, hold: Hold, piece: JobPiece) -> Job:
        self._fail()
        return await super().keep_piece(hold, piece)

    async def finish(self, hold: Hold, first: bytes, blocks: int, audio_bytes: int) -> Job:
        self._fail()
        return await super().finish(hold, first, blocks, audio_bytes)

    async def fail(self, hold: Hold, failure: Failure) -> Job:
        self._fail()
        return await super().fail(hold, failure)


class Workplace:
    def __init__(self, store: Flaky) -> None:
        self.store = store
        self.speaker = Speaker()
        self.metrics = Metrics()
        self.runners: list[JobRunner] = []

    def runner(self, rules: RunnerRules = RULES) -> JobRunner:
        made = JobRunner(self.store, self.speaker, self.speaker, self.metrics.jobs, rules, JobRules())
        self.runners.append(made)
        made.start()
        return made

    async def add(self, text: str = PARAGRAPHS, **given: Any) -> str:
        job = NewJob(f"{len(text):032x}", "ada", None, SpeechRequest("r", text, "joe"), "wav", None, **given)
        return (await self.store.add(job, 10)).id

    async def ended(self, job_id: str) -> Job:
        async with asyncio.timeout(20):
            while True:
                job = await self.store.get(job_id)
                if job.ended_at is not None:
                    return job
                await asyncio.sleep(0.005)

    async def audio(self, job: Job) -> bytes:
        blocks = range(-(-(job.audio_bytes or 0) // BLOCK_BYTES))
        return b"".join([await self.store.audio(job.id, number) for number in blocks])

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@asynccontextmanager
async def workplace() -> AsyncIterator[Workplace]:
    async with jobs_alone() as plain:
        place = Workplace(Flaky(plain._engine))
        try:
            yield place
        finally:
            for runner in place.runners:
                await runner.close(0)


async def whole() -> bytes:
    """What a job that nothing happens to ends with."""
    async with workplace() as place:
        place.runner()
        return await place.audio(await place.ended(await place.add()))


def silences(audio: bytes) -> list[float]:
    """The pauses between stretches of noise, in seconds."""
    samples, rate = soundfile.read(io.BytesIO(audio))
    loud = np.flatnonzero(np.abs(samples) > 0.003)
    gaps = np.diff(loud)
    return [float(gap) / rate for gap in gaps[gaps > rate // 20]]


async def test_passages_are_joined_by_the_pauses_of_the_text_and_without_a_click() -> None:
    audio = await whole()
    found = silences(audio)
    assert len(found) == 7
    # what a paragraph's end asks for, and the ends that pieces keep
    assert all(gap == pytest.approx(0.585, abs=0.02) for gap in found)
    samples, rate = soundfile.read(io.BytesIO(audio))
    assert np.abs(samples[0]) < 0.003 and np.abs(samples[-int(0.15 * rate) :]).max() < 0.003


async def test_it_is_spoken_behind_everybody_else_and_for_its_owner() -> None:
    async with workplace() as place:
        place.runner()
        job = await place.ended(await place.add())
        assert (job.state, job.pieces, job.spoken) == ("done", 8, len(PARAGRAPHS))
        assert place.speaker.terms == {("batch", "ada")}
        assert place.counted("tts_job_pieces_total", status="success") == 8
        assert place.counted("tts_jobs_total", state="done") == 1


async def test_an_engine_that_fails_now_and_then_is_asked_again() -> None:
    async with workplace() as place:
        place.speaker.faults = [EngineFailed("it broke"), EngineFailed("it broke again")]
        place.runner()
        job = await place.ended(await place.add())
        assert job.state == "done"
        assert place.counted("tts_job_pieces_total", status="error") == 2
        assert await place.audio(job) == await whole()


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ([EngineFailed("it broke")] * 3, "engine_failed"),
        ([VoiceNotFound("no voice has the id 'joe'", param="voice_id")], "voice_not_found"),
    ],
)
async def test_what_will_not_pass_ends_the_job_with_the_reason(faults: list[JuneError], code: str) -> None:
    async with workplace() as place:
        job_id = await place.add()
        place.speaker.gate.clear()
        place.runner()
        await becomes(lambda: place.speaker.terms)
        place.speaker.faults = list(faults)
        place.speaker.gate.set()
        job = await place.ended(job_id)
        assert job.state == "failed" and job.failure is not None
        assert (job.failure.code, job.failure.message) == (code, str(faults[0]))
        # counted once it is kept
        await becomes(lambda: place.counted("tts_jobs_total", state="failed") == 1)


async def test_where_every_place_is_taken_it_waits() -> None:
    async with workplace() as place:
        place.speaker.faults = [Overloaded("all places are taken", retry_after=0.01) for _ in range(20)]
        place.runner()
        assert (await place.ended(await place.add())).state == "done"
        assert not place.speaker.faults


async def test_a_database_that_is_away_is_waited_for_and_nothing_is_spoken_twice() -> None:
    async with workplace() as place:
        place.store.away = 5
        runner = place.runner(RunnerRules(passage_chars=100, pause_seconds=0.05))
        job_id = await place.add()
        await becomes(lambda: job_id in runner.trouble)
        assert runner.trouble[job_id].code == "store_unavailable"
        job = await place.ended(job_id)
        assert job.state == "done" and len(place.speaker.spoken) == 8
        assert await place.audio(job) == await whole()
        await becomes(lambda: not runner.trouble)


async def test_a_stopping_server_ends_at_a_passage_and_another_goes_on_there() -> None:
    async with workplace() as place:
        first, job_id = place.runner(), await place.add()
        await becomes(lambda: len(place.speaker.spoken) >= 2)
        place.speaker.gate.clear()
        closing = asyncio.create_task(first.close(10))
        await asyncio.sleep(0)
        place.speaker.gate.set()
        await closing
        left = await place.store.get(job_id)
        assert left.state == "running" and left.pieces == len(place.speaker.spoken) < 8
        place.runner()
        job = await place.ended(job_id)
        assert job.state == "done" and len(place.speaker.spoken) == 8
        assert await place.audio(job) == await whole()


async def test_a_passage_that_takes_too_long_is_left_to_another_server() -> None:
    async with workplace() as place:
        place.speaker.gate.clear()
        first, job_id = place.runner(), await place.add()
        await becomes(lambda: place.speaker.terms)
        async with asyncio.timeout(5):
            await first.close(0.01)
        place.speaker.gate.set()
        place.runner()
        assert (await place.ended(job_id)).state == "done"


async def test_a_job_that_was_lost_is_let_go() -> None:
    async with workplace() as place:
        place.speaker.gate.clear()
        place.runner(RunnerRules(hold_seconds=0.1, passage_chars=100))
        job_id = await place.add()
        await becomes(lambda: place.speaker.terms)
        await place.store.cancel(job_id)
        await becomes(lambda: place.counted("tts_jobs_running") == 0)
        assert (await place.store.get(job_id)).state == "cancelled"


async def test_a_job_that_ends_every_server_is_not_tried_for_ever() -> None:
    async with workplace() as place:
        job_id = await place.add()
        for n in range(MOST_CLAIMS):
            assert await place.store.claim(f"dead {n}", 0.0) is not None
        place.runner()
        job = await place.ended(job_id)
        assert job.state == "failed" and job.failure is not None
        assert "5 servers ended" in job.failure.message and not place.speaker.spoken


async def test_a_server_that_works_on_none_leaves_them() -> None:
    async with workplace() as place:
        place.runner(RunnerRules(at_once=0))
        job_id = await place.add()
        await asyncio.sleep(0.05)
        assert (await place.store.get(job_id)).state == "queued"


async def test_what_has_no_sound_is_passed_over() -> None:
    async with workplace() as place:
        place.runner()
        text = "First words." + "\n\n* * *\n\n" * 100 + "Last words." + " \n" * 500
        job = await place.ended(await place.add(text))
        assert (job.state, job.spoken) == ("done", len(text))
        assert len(place.speaker.spoken) == job.pieces < 10
        assert place.speaker.spoken[0].startswith("First") and "Last words." in place.speaker.spoken[-1]
