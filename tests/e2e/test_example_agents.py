"""The agents under examples/, as they stand: LiveKit's in a real room, Pipecat's into a file."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.page_server import serving
from tests.e2e.room_listener import listening
from tests.listening import word_error
from tests.livekit_service import LiveKit

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).parents[2] / "examples"
FIRST = "The old ferry crosses the river every morning, and the captain waves to the children."
REGISTER_SECONDS = 60.0
SECOND = "Nobody had expected the storm to arrive so early in the year."


@pytest.fixture(scope="module")
def june(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("june")) as address:
        yield address


def environment(june: str, **more: str) -> dict[str, str]:
    mine = {key: value for key, value in os.environ.items() if not key.startswith(("JUNE_", "LIVEKIT_"))}
    return mine | {"JUNE_BASE_URL": june} | more


def test_pipecat_s_agent_says_the_lines_that_it_reads(june: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "pipecat" / "agent.py"), "heard.wav"],
        input=f"{FIRST}\n\n{SECOND}\n",
        cwd=tmp_path,
        env=environment(june),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert word_error(f"{FIRST} {SECOND}", (tmp_path / "heard.wav").read_bytes()) <= 0.25, done.stderr


async def test_livekit_s_agent_says_in_the_room_what_is_written_there(
    june: str, livekit: LiveKit, tmp_path: Path
) -> None:
    with livekit_agent(june, livekit, tmp_path / "agent.log"):
        async with listening(livekit, "example") as listener:
            await listener.agent_is_there()
            for text in (FIRST, SECOND):
                await listener.write(text)
                assert word_error(text, await listener.hears()) <= 0.25
            # a caption is complete when its last word was heard
            assert [said.split() for said in listener.captions] == [FIRST.split(), SECOND.split()]


def wait_for(words: bytes, log: Path) -> None:
    """An agent comes to rooms that are made after it was registered."""
    end = time.monotonic() + REGISTER_SECONDS
    while words not in log.read_bytes():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


@contextmanager
def livekit_agent(june: str, livekit: LiveKit, log: Path) -> Iterator[None]:
    where = {"LIVEKIT_URL": livekit.url, "LIVEKIT_API_KEY": livekit.key, "LIVEKIT_API_SECRET": livekit.secret}
    with log.open("wb") as out:
        worker = subprocess.Popen(
            [sys.executable, "-m", "livekit.agents", "start", "--dev", "agent.py"],
            cwd=EXAMPLES / "livekit-agents",
            env=environment(june, **where),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(b"registered worker", log)
        yield
    finally:
        worker.terminate()
        worker.wait(timeout=30)
