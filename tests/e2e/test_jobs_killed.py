"""SIGKILL in the middle of a job: it goes on where it stopped, and ends with the bytes it would have had."""

import os
import random
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.page_server import serving
from tests.e2e.server_process import process_of

pytestmark = pytest.mark.e2e

ROUNDS = int(os.environ.get("JUNE_ROUNDS", "1"))
TEXT = "".join(f"Sentence number {n} is spoken, whatever happens to the server. " for n in range(80))
WAIT_SECONDS = 60.0


SETTINGS = {
    **{"JUNE_ENGINES": "fake", "JUNE_DEFAULT_VOICE": "fake", "JUNE_LOG_LEVEL": "error"},
    **{"JUNE_FAKE_STEP_SECONDS": "0.0005", "JUNE_JOB_HOLD_SECONDS": "1"},
}


def made(address: str) -> str:
    wish = {"text": TEXT, "audio_format": "wav", "speed": 4.0}
    return str(httpx.post(f"{address}/v1/jobs", json=wish).raise_for_status().json()["id"])


def state(address: str, job: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{address}/v1/jobs/{job}").raise_for_status().json()
    return found


def until(address: str, job: str, pieces: int | None) -> dict[str, Any]:
    """Its state when so many pieces are kept; None: when it has ended."""
    give_up = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < give_up:
        found = state(address, job)
        if found["state"] not in ("queued", "running") or (pieces is not None and found["pieces"] >= pieces):
            return found
        time.sleep(0.02)
    raise AssertionError(f"the job did not go on: {state(address, job)}")


def audio(address: str, job: str) -> bytes:
    return httpx.get(f"{address}/v1/jobs/{job}/audio").raise_for_status().content


def test_a_killed_server_goes_on_with_its_job_where_it_stopped(tmp_path: Path) -> None:
    with serving(tmp_path, **SETTINGS) as address:
        whole_id = made(address)
        whole = until(address, whole_id, None)
        assert whole["state"] == "done", whole
        expected, last = audio(address, whole_id), int(whole["pieces"])
        killed = made(address)
        kept = until(address, killed, 1)["pieces"]
        process_of(address).kill()
    draw = random.Random()
    for _ in range(ROUNDS - 1):
        with serving(tmp_path, **SETTINGS) as address:
            found = until(address, killed, min(last, kept + draw.randint(1, 2)))
            assert found["pieces"] >= kept, "nothing that was kept is lost"
            kept = found["pieces"]
            process_of(address).kill()
    with serving(tmp_path, **SETTINGS) as address:
        assert state(address, killed)["pieces"] >= kept
        done = until(address, killed, None)
        assert (done["state"], done["pieces"], done["error"]) == ("done", last, None)
        assert audio(address, killed) == expected


def test_two_replicas_share_jobs_and_one_takes_over_from_the_other(tmp_path: Path, postgres_url: str) -> None:
    settings = SETTINGS | {"DATABASE_URL": postgres_url}
    first_dir, second_dir = tmp_path / "first", tmp_path / "second"
    for folder in (first_dir, second_dir):
        folder.mkdir()
    with serving(second_dir, **settings) as second:
        with serving(first_dir, **settings) as first:
            jobs = [made(first) for _ in range(3)]
            until(first, jobs[0], 1)
            process_of(first).kill()
        ended = [until(second, job, None) for job in jobs]
        results = {audio(second, job) for job in jobs}
    assert [job["state"] for job in ended] == ["done"] * 3
    assert len(results) == 1, "each was spoken to its end, once"
