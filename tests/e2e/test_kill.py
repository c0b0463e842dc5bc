"""SIGKILL in the middle of uploads: what was acknowledged is whole after a restart, and nothing is half."""

import hashlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from tests.e2e.page_server import serving
from tests.e2e.recordings import tagged
from tests.e2e.server_process import process_of

pytestmark = pytest.mark.e2e

UPLOADS = 50
UPLOADERS = 6
KILLS = 3


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest) -> dict[str, str]:
    fake = {"JUNE_ENGINES": "fake", "JUNE_DEFAULT_VOICE": "fake", "JUNE_LOG_LEVEL": "error"}
    if request.param == "postgresql":
        fake["DATABASE_URL"] = request.getfixturevalue("postgres_url")
    return fake


def upload(address: str, number: int) -> str | None:
    """Its id where the server acknowledged it."""
    fields = {"voice_id": f"v{number}", "voice_name": f"Voice {number}", "transcript": f"Number {number}."}
    try:
        reply = httpx.post(
            f"{address}/api/voices/clone",
            data=fields,
            files={"file": ("speech.wav", tagged(number))},
            timeout=60,
        )
    except httpx.TransportError:
        return None  # it was killed meanwhile
    assert reply.status_code == 200, reply.text
    assert reply.json()["sha256"] == hashlib.sha256(tagged(number)).hexdigest()
    return fields["voice_id"]


def uploads_until_killed(address: str, numbers: Iterator[int], kill_after: int) -> list[str]:
    """Uploads from several clients at once; at an acknowledgement the process is killed, the rest fails."""
    acknowledged: list[str] = []
    dead = threading.Event()
    lock = threading.Lock()

    def client() -> None:
        while not dead.is_set():
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            if voice_id := upload(address, number):
                with lock:
                    acknowledged.append(voice_id)
                    if len(acknowledged) == kill_after:
                        # the other clients are anywhere between sending and reading the reply
                        process_of(address).kill()
                        dead.set()

    with ThreadPoolExecutor(UPLOADERS) as pool:
        for done in [pool.submit(client) for _ in range(UPLOADERS)]:
            done.result()
    assert dead.is_set(), "the server was to be killed and was not"
    return acknowledged


def test_every_acknowledged_voice_is_whole_after_kills_during_50_uploads(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    tagged(0)  # speak it before the clock of any client runs
    draw = random.Random()
    numbers = iter(range(UPLOADS))
    acknowledged: list[str] = []
    for _ in range(KILLS):
        with serving(tmp_path, **settings) as address:
            acknowledged += uploads_until_killed(address, numbers, draw.randint(5, 9))
    with serving(tmp_path, **settings) as address:
        for number in numbers:
            acknowledged.append(upload(address, number) or "")
        check(address, acknowledged)


def check(address: str, acknowledged: list[str]) -> None:
    listed = httpx.get(f"{address}/api/voices").json()["voices"]
    kept = {voice["voice_id"] for voice in listed if voice["kind"] == "cloned"}
    assert kept >= set(acknowledged) and len(acknowledged) > UPLOADS - KILLS * UPLOADERS
    for number in range(UPLOADS):
        # also the ones that were stored and not acknowledged: each is there whole or not at all
        voice_id = f"v{number}"
        about = httpx.get(f"{address}/api/voices/{voice_id}")
        audio = httpx.get(f"{address}/api/voices/{voice_id}/audio")
        if voice_id in kept:
            assert audio.content == tagged(number)
            assert about.json()["sha256"] == hashlib.sha256(audio.content).hexdigest()
            assert about.json()["transcript"] == f"Number {number}." and about.json()["report"]
        else:
            assert (about.status_code, audio.status_code) == (404, 404)
            assert upload(address, number) == voice_id, "the id of what is not there can be taken"
