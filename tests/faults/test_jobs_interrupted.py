"""What a job is kept in goes away while it runs: it waits, goes on, and has the bytes it would have had."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.faults.leaning import Leaning
from tests.faults.ledger import ROUNDS, Ledger, Line
from tests.faults.server import FAKE, SERVE, served
from tests.faults.small_disk import left, small_disk
from tests.faults.traffic import works

pytestmark = pytest.mark.faults

TEXT = "".join(f"Sentence number {n} is spoken, whatever becomes of the database. " for n in range(120))
END_SECONDS = 60.0
AWAY_SECONDS = 0.5
DISK = "160m"
LEFT_BYTES = 100_000
"""Less than one more piece of the job takes."""


class Jobs:
    def __init__(self, http: httpx.AsyncClient, line: Line) -> None:
        self._http = http
        self._line = line

    async def made(self) -> str:
        reply = await self._http.post(
            "/v1/jobs", json={"text": TEXT, "voice_id": "fake", "audio_format": "wav"}
        )
        self._line.offered += 1
        return str(reply.raise_for_status().json()["id"])

    async def job(self, job: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self._http.get(f"/v1/jobs/{job}")).raise_for_status().json()
        return found

    async def has(self, job: str, pieces: int) -> bool:
        found = await self.job(job)
        assert found["state"] in ("queued", "running"), f"it ended too soon: {found}"
        return bool(found["pieces"] >= pieces)

    async def over(self, job: str) -> bool:
        reply = await self._http.get(f"/v1/jobs/{job}")
        return reply.status_code == 200 and reply.json()["state"] not in ("queued", "running")

    async def audio(self, job: str) -> bytes:
        found = await self.job(job)
        if found["state"] != "done":
            self._line.lost += 1
            raise AssertionError(f"not spoken to its end: {found}")
        self._line.answered += 1
        return (await self._http.get(f"/v1/jobs/{job}/audio")).raise_for_status().content


@asynccontextmanager
async def jobs_at(address: str, line: Line) -> AsyncIterator[Jobs]:
    async with httpx.AsyncClient(base_url=address, timeout=30) as http:
        yield Jobs(http, line)


async def test_a_job_waits_for_a_postgres_that_crashed_under_it_and_goes_on(
    leaning: Leaning, ledger: Ledger
) -> None:
    line = ledger.line("PostgreSQL crashed under a job")
    async with jobs_at(leaning.server.address, line) as jobs:
        undisturbed = await jobs.made()
        await works(partial(jobs.over, undisturbed), END_SECONDS)
        expected = await jobs.audio(undisturbed)
        for _ in range(ROUNDS or 2):
            line.rounds += 1
            job = await jobs.made()
            await works(partial(jobs.has, job, 1))
            await asyncio.to_thread(leaning.postgres.stop, "immediate")
            await asyncio.sleep(AWAY_SECONDS)
            await asyncio.to_thread(leaning.postgres.start)
            line.recovered(await works(partial(jobs.over, job), END_SECONDS))
            assert await jobs.audio(job) == expected


async def test_a_job_waits_for_room_on_its_disk_and_goes_on(tmp_path: Path, ledger: Ledger) -> None:
    line = ledger.line("disk of SQLite full under a job")
    with served(tmp_path / "roomy", SERVE, **FAKE) as server:
        async with jobs_at(server.address, line) as jobs:
            undisturbed = await jobs.made()
            await works(partial(jobs.over, undisturbed), END_SECONDS)
            expected = await jobs.audio(undisturbed)
    for number in range(ROUNDS or 1):
        line.rounds += 1
        # a library of its own each time: what an ended job leaves in one is room for the next
        with small_disk(tmp_path / f"disk{number}", DISK) as disk:
            settings = FAKE | {"JUNE_DATA_DIR": str(disk)}
            with served(tmp_path / f"logs{number}", SERVE, **settings) as server:
                async with jobs_at(server.address, line) as jobs:
                    await _filled(jobs, disk, line, expected)


async def _filled(jobs: Jobs, disk: Path, line: Line, expected: bytes) -> None:
    job = await jobs.made()
    await works(partial(jobs.has, job, 1))
    with suppress(OSError):  # the job was faster: the disk is full all the same
        (disk / "ballast").write_bytes(bytes(max(0, left(disk) - LEFT_BYTES)))
    await works(partial(_waits, jobs, job))
    (disk / "ballast").unlink()
    line.recovered(await works(partial(jobs.over, job), END_SECONDS))
    assert await jobs.audio(job) == expected


async def _waits(jobs: Jobs, job: str) -> bool:
    """It says what it waits for."""
    error = (await jobs.job(job))["error"]
    return error is not None and "no room left on its disk" in error["message"]
