"""Jobs in both databases: kept, taken by one at a time, taken over, forgotten."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from june_tts.errors import JobNotFound, Overloaded
from june_tts.jobs import BLOCK_BYTES, Failure, Hold, Job, JobLost, JobPiece, NewJob
from june_tts.store import Limits, open_stores
from june_tts.store.database import postgres_engine, sqlite_engine
from june_tts.store.jobs import SqlJobStore
from june_tts.types import Sampling, SpeechRequest

pytestmark = pytest.mark.contract

SECONDS = 30.0
Open = Callable[[], Awaitable[SqlJobStore]]
Database = tuple[str | None, Path]
FAILURE = Failure("engine_failed", "it broke", None, True)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def migrated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Database:
    """One database for all tests here: making one takes longer than any of them."""
    folder = tmp_path_factory.mktemp("jobs")
    url = request.getfixturevalue("postgres").new_database() if request.param == "postgres" else None

    async def migrate() -> None:
        await (await open_stores(url, folder)).voices.close()

    asyncio.run(migrate())
    return url, folder


@pytest.fixture
async def open_jobs(migrated: Database) -> AsyncIterator[Open]:
    """Opens the database once more, as another replica would."""
    url, folder = migrated
    opened: list[AsyncEngine] = []

    async def again() -> SqlJobStore:
        opened.append(postgres_engine(url, Limits()) if url else sqlite_engine(folder / "june.db", Limits()))
        return SqlJobStore(opened[-1])

    async with engine_of(await again()).begin() as connection:
        await connection.execute(text("DELETE FROM tts_jobs"))
    yield again
    for engine in opened:
        await engine.dispose()


@pytest.fixture
async def store(open_jobs: Open) -> SqlJobStore:
    return await open_jobs()


def engine_of(store: SqlJobStore) -> AsyncEngine:
    return store._engine


def new_job(owner: str = "", words: str = "Five. Six.", **speech: object) -> NewJob:
    request = SpeechRequest("r", words, "joe", **speech)  # type: ignore[arg-type]  # fields by name
    return NewJob(uuid4().hex, owner, "A title, schön", request, "mp3", 24_000)


async def added(store: SqlJobStore, owner: str = "", words: str = "Five. Six.") -> Job:
    return await store.add(new_job(owner, words), 100)


async def held(store: SqlJobStore, runner: str = "one", seconds: float = SECONDS) -> Hold:
    claimed = await store.claim(runner, seconds)
    assert claimed is not None
    return Hold(claimed.job.id, runner, seconds)


def piece(number: int, stop: int = 5) -> JobPiece:
    return JobPiece(number, stop, 24_000, bytes([number]) * 2000)


async def later(store: SqlJobStore, seconds: float) -> None:
    """Let that much time pass for everything that was written so far."""
    columns = ("created_at", "started_at", "ended_at", "held_until")
    moved = ", ".join(f"{name} = {name} - :seconds" for name in columns)
    async with engine_of(store).begin() as connection:
        await connection.execute(text(f"UPDATE tts_jobs SET {moved}"), {"seconds": seconds})


async def count(store: SqlJobStore, table: str) -> int:
    async with engine_of(store).begin() as connection:
        found = await connection.execute(text(f"SELECT count(*) FROM {table}"))
        return int(found.scalar_one())


async def test_a_job_is_kept_with_all_that_was_asked_for(open_jobs: Open) -> None:
    store, words = await open_jobs(), "Größe 5 — 日本. " * 40_000
    sampling = Sampling(temperature=0.5, seed=7)
    asked = new_job("ada", words, language="de-DE", speed=1.25, sampling=sampling)
    job = await store.add(asked, 1)
    assert (job.state, job.owner, job.title) == ("queued", "ada", asked.title)
    assert (job.characters, job.spoken, job.pieces, job.audio_bytes) == (len(words), 0, 0, None)
    assert abs(job.created_at - time.time()) < 60 and job.started_at is None
    other = await open_jobs()
    assert await other.get(job.id) == job
    claimed = await other.claim("one", SECONDS)
    assert claimed is not None
    speech = claimed.speech
    assert (speech.text, speech.voice_id, speech.language, speech.speed) == (words, "joe", "de-DE", 1.25)
    assert (speech.sampling, speech.unhurried) == (sampling, True)
    assert (claimed.job.state, claimed.tries) == ("running", 1)


async def test_of_many_replicas_exactly_one_gets_each_job(open_jobs: Open) -> None:
    stores = [await open_jobs() for _ in range(3)]
    jobs = {(await added(stores[0])).id for _ in range(12)}

    async def taken(store: SqlJobStore, name: str) -> list[str]:
        found = []
        while (claimed := await store.claim(name, SECONDS)) is not None:
            found.append(claimed.job.id)
        return found

    got = await asyncio.gather(
        *(taken(store, f"{n}.{at}") for n, store in enumerate(stores) for at in (1, 2))
    )
    assert sorted(job for found in got for job in found) == sorted(jobs)


async def test_what_nobody_speaks_for_any_more_is_taken_over_where_it_stopped(store: SqlJobStore) -> None:
    await added(store)
    first = await held(store, "first")
    assert (await store.keep_piece(first, piece(0))).pieces == 1
    await later(store, SECONDS - 5)
    assert await store.claim("second", SECONDS) is None
    await store.renew(first)
    await later(store, SECONDS - 5)
    assert await store.claim("second", SECONDS) is None
    await later(store, 6)
    taken = await store.claim("second", SECONDS)
    assert taken is not None
    assert (taken.job.id, taken.job.pieces, taken.job.spoken, taken.tries) == (first.job_id, 1, 5, 1)


async def test_whoever_lost_a_job_changes_nothing_of_it_any_more(store: SqlJobStore) -> None:
    await added(store)
    first = await held(store, "first")
    await later(store, SECONDS + 1)
    second = await held(store, "second")
    late: list[Callable[[], Awaitable[object]]] = [
        lambda: store.renew(first),
        lambda: store.keep_piece(first, piece(0)),
        lambda: store.keep_audio(first, 1, b"late"),
        lambda: store.finish(first, b"late", 1, 4),
        lambda: store.fail(first, FAILURE),
    ]
    for call in late:
        with pytest.raises(JobLost):
            await call()
    await store.release(first)
    assert (await store.get(first.job_id)).state == "running"
    assert (await store.keep_piece(second, piece(0))).pieces == 1
    assert await store.piece(second, 0) == piece(0).pcm


async def test_a_hold_from_a_clock_that_was_put_back_ends_all_the_same(store: SqlJobStore) -> None:
    await added(store)
    await held(store, "first")
    await later(store, -3600)
    assert await store.claim("second", SECONDS) is not None


async def test_what_was_given_back_is_there_for_the_next_at_once(store: SqlJobStore) -> None:
    await added(store)
    for name in ("one", "two", "three"):
        claimed = await store.claim(name, SECONDS)
        assert claimed is not None and claimed.tries == 1
        await store.release(Hold(claimed.job.id, name, SECONDS))


async def test_a_claim_without_a_piece_kept_is_counted(store: SqlJobStore) -> None:
    await added(store)
    tries = []
    for name in ("one", "two", "three"):
        claimed = await store.claim(name, SECONDS)
        assert claimed is not None
        tries.append(claimed.tries)
        await later(store, SECONDS + 1)
    hold = await held(store, "four")
    await store.keep_piece(hold, piece(0))
    await later(store, SECONDS + 1)
    claimed = await store.claim("five", SECONDS)
    assert claimed is not None
    assert (tries, claimed.tries) == ([1, 2, 3], 1)


async def test_a_piece_is_kept_once(store: SqlJobStore) -> None:
    await added(store)
    hold = await held(store)
    await store.keep_piece(hold, piece(0))
    with pytest.raises(JobLost):
        await store.keep_piece(hold, piece(0, stop=9))
    job = await store.keep_piece(hold, piece(1, stop=8))
    assert (job.pieces, job.spoken, job.samples, job.piece_rate) == (2, 8, 2000, 24_000)
    assert [await store.piece(hold, n) for n in range(2)] == [piece(0).pcm, piece(1).pcm]


async def test_a_result_is_there_when_it_is_whole(store: SqlJobStore) -> None:
    await added(store)
    hold = await held(store)
    first, second = b"a" * BLOCK_BYTES, b"b" * 10
    await store.keep_audio(hold, 1, b"of a try that was broken off")
    await store.keep_audio(hold, 2, b"of a try that was broken off")
    await store.keep_audio(hold, 1, second)
    with pytest.raises(JobNotFound):
        await store.audio(hold.job_id, 1)
    done = await store.finish(hold, first, 2, BLOCK_BYTES + 10)
    assert (done.state, done.audio_bytes, done.spoken) == ("done", BLOCK_BYTES + 10, done.characters)
    assert done.ended_at is not None
    assert [await store.audio(hold.job_id, n) for n in range(2)] == [first, second]
    with pytest.raises(JobNotFound):
        await store.audio(hold.job_id, 2)


async def test_the_text_of_what_has_ended_is_forgotten(store: SqlJobStore) -> None:
    for end in ("done", "failed", "cancelled", "removed"):
        job = await added(store)
        hold = await held(store)
        if end == "done":
            await store.finish(hold, b"x", 1, 1)
        elif end == "failed":
            assert (await store.fail(hold, FAILURE)).failure == FAILURE
        elif end == "cancelled":
            assert (await store.cancel(job.id)).state == "cancelled"
        else:
            await store.remove(job.id)
    async with engine_of(store).begin() as connection:
        texts = (await connection.execute(text("SELECT text FROM tts_jobs"))).scalars().all()
    assert texts == [""] * 4
    assert await store.claim("another", SECONDS) is None


async def test_what_has_ended_is_not_ended_again(store: SqlJobStore) -> None:
    job = await added(store)
    hold = await held(store)
    await store.finish(hold, b"x", 1, 1)
    assert (await store.cancel(job.id)).state == "done"
    with pytest.raises(JobLost):
        await store.fail(hold, FAILURE)


async def test_a_cancelled_job_is_lost_to_whoever_works_on_it(store: SqlJobStore) -> None:
    await added(store)
    hold = await held(store)
    await store.cancel(hold.job_id)
    with pytest.raises(JobLost):
        await store.renew(hold)
    with pytest.raises(JobLost):
        await store.keep_piece(hold, piece(0))


async def test_lists_are_pages_of_the_newest(store: SqlJobStore) -> None:
    mine = [(await added(store, "ada")).id for _ in range(5)]
    theirs = (await added(store, "bob")).id
    await store.cancel(mine[2])
    everybodys = await store.list(None, (), None, 10)
    assert [job.id for job in everybodys] == [theirs, *reversed(mine)]
    first = await store.list("ada", (), None, 2)
    second = await store.list("ada", (), first[-1].id, 10)
    assert [job.id for job in [*first, *second]] == list(reversed(mine))
    assert [job.id for job in await store.list("ada", ("cancelled", "done"), None, 10)] == [mine[2]]
    with pytest.raises(JobNotFound):
        await store.list(None, (), uuid4().hex, 10)


@pytest.mark.parametrize("ident", ["", "nobody", "\x00", "\ud800", "a" * 33, "A" * 32, "'; --", "0" * 32])
async def test_an_id_that_is_none_is_not_found(store: SqlJobStore, ident: str) -> None:
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: store.get(ident),
        lambda: store.cancel(ident),
        lambda: store.remove(ident),
        lambda: store.audio(ident, 0),
    ]
    for call in calls:
        with pytest.raises(JobNotFound):
            await call()


async def test_a_caller_has_so_many_open_jobs_and_no_more(store: SqlJobStore) -> None:
    first = await store.add(new_job("ada"), 2)
    await store.add(new_job("ada"), 2)
    with pytest.raises(Overloaded, match="JUNE_JOBS_WAITING"):
        await store.add(new_job("ada"), 2)
    await store.add(new_job("bob"), 2)
    await store.cancel(first.id)
    await store.add(new_job("ada"), 2)


async def test_callers_take_turns_and_what_was_begun_goes_first(store: SqlJobStore) -> None:
    ada = [(await added(store, "ada")).id for _ in range(3)]
    bob = (await added(store, "bob")).id
    begun = await held(store)
    order = [begun.job_id, (await held(store)).job_id]
    await store.release(begun)
    order += [(await held(store)).job_id for _ in range(3)]
    assert order == [ada[0], bob, ada[0], ada[1], ada[2]]


async def test_sweeping_forgets_what_is_old_and_deletes_what_nobody_needs(store: SqlJobStore) -> None:
    done = await finished(store, pieces=20)
    failed = await added(store)
    hold = await held(store)
    await store.keep_piece(hold, piece(0))
    await store.keep_audio(hold, 1, b"half")
    await store.fail(hold, FAILURE)
    running = await added(store)
    hold = await held(store)
    await store.keep_piece(hold, piece(0))
    rounds = 0
    while await store.sweep(100, 3600):
        rounds += 1
    assert rounds >= 2, "deleted little by little"
    assert (await count(store, "tts_job_pieces"), await count(store, "tts_job_audio")) == (1, 1)
    assert await store.audio(done, 0) == b"whole"
    await later(store, 3601)
    while await store.sweep(100, 3600):
        pass
    assert [job.id for job in await store.list(None, (), None, 10)] == [running.id]
    assert (await count(store, "tts_jobs"), await count(store, "tts_job_audio")) == (1, 0)
    for gone in (done, failed.id):
        with pytest.raises(JobNotFound):
            await store.get(gone)


async def test_sweeping_keeps_the_newest_of_each_caller(store: SqlJobStore) -> None:
    ada = [await finished(store, "ada") for _ in range(4)]
    bob = [await finished(store, "bob") for _ in range(2)]
    await store.sweep(2, 3600)
    assert [job.id for job in await store.list(None, (), None, 10)] == [*reversed(bob), *reversed(ada[2:])]


async def test_a_removed_job_is_gone_at_once_and_its_audio_soon(store: SqlJobStore) -> None:
    job = await finished(store)
    await store.remove(job)
    for call in (store.get(job), store.audio(job, 0), store.remove(job), store.cancel(job)):
        with pytest.raises(JobNotFound):
            await call
    while await store.sweep(100, 3600):
        pass
    assert (await count(store, "tts_jobs"), await count(store, "tts_job_audio")) == (0, 0)


async def finished(store: SqlJobStore, owner: str = "", pieces: int = 0) -> str:
    job = await added(store, owner)
    hold = await held(store)
    assert hold.job_id == job.id
    for number in range(pieces):
        await store.keep_piece(hold, piece(number))
    await store.finish(hold, b"whole", 1, 5)
    return job.id
