"""SIGKILL during uploads: what was acknowledged is whole, and nothing is half there."""

import asyncio
import random
import sys
from pathlib import Path

import pytest
from tests.contract.voices import OpenStore, recording, sha256

pytestmark = pytest.mark.contract

ROUNDS = 5
UPLOADS_A_ROUND = 10


async def _upload_until_killed(url: str, folder: Path, prefix: str, draw: random.Random) -> list[str]:
    """The ids that were acknowledged before the process died."""
    command = (sys.executable, "-m", "tests.contract.uploader", url, str(folder), prefix, "100000")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    said = [await process.stdout.readline() for _ in range(UPLOADS_A_ROUND)]
    # within the next upload or two: hashing, sending, committing or acknowledging
    await asyncio.sleep(draw.uniform(0, 0.03))
    process.kill()
    said += (await process.stdout.read()).splitlines(keepends=True)
    assert await process.wait() == -9
    return [line.decode().strip() for line in said if line.endswith(b"\n")]


async def test_every_acknowledged_voice_survives_and_no_half_voice_is_left(
    reopen: OpenStore, database_url: str | None, tmp_path: Path
) -> None:
    draw = random.Random()
    acknowledged: list[str] = []
    for n in range(ROUNDS):
        acknowledged += await _upload_until_killed(database_url or "", tmp_path, f"round{n}", draw)
    assert len(acknowledged) >= ROUNDS * UPLOADS_A_ROUND
    store = await reopen()
    kept = {voice.voice_id: voice for voice in await store.list()}
    assert kept.keys() >= set(acknowledged)
    # at most the one upload of each round that was under way may be there unacknowledged
    assert len(kept) <= len(acknowledged) + ROUNDS
    for voice_id, voice in kept.items():
        audio = await store.audio(voice_id)
        assert audio == recording(voice_id)
        assert (voice.sha256, voice.audio_bytes) == (sha256(audio), len(audio))
        assert voice.report is not None
