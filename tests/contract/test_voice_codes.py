"""Codes kept beside a recording: theirs alone, and gone with it. Memory, SQLite and PostgreSQL alike."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.contract.voices import OpenStore, new_voice, recording, sha256

from june_tts.ports import VoiceStore
from june_tts.store import Limits
from june_tts.store.database import postgres_engine, sqlite_engine
from june_tts.types import VoiceCodes

pytestmark = pytest.mark.contract

ADA = sha256(recording("ada"))


def codes(
    codec: str = "dac", *, seed: int = 0, frames: int = 650, transcript: str | None = None
) -> VoiceCodes:
    return VoiceCodes(codec, ADA, drawn(seed, frames), transcript)


def drawn(seed: int, frames: int) -> NDArray[np.int32]:
    return np.random.default_rng(seed).integers(0, 4096, (10, frames), np.int32)


async def test_kept_codes_come_back_as_they_were(store: VoiceStore) -> None:
    await store.add(new_voice("ada"))
    await store.keep_codes("ada", codes(transcript="Schöner Tag, 小林さん."))
    kept = await store.codes("ada", "dac", ADA)
    assert kept is not None
    assert (kept.codec, kept.sha256, kept.transcript) == ("dac", ADA, "Schöner Tag, 小林さん.")
    assert kept.codes.dtype == np.int32
    np.testing.assert_array_equal(kept.codes, drawn(0, 650))


async def test_a_voice_that_was_not_encoded_has_no_codes(store: VoiceStore) -> None:
    await store.add(new_voice("ada"))
    assert await store.codes("ada", "dac", ADA) is None


async def test_each_codec_has_codes_of_its_own(store: VoiceStore) -> None:
    await store.add(new_voice("ada"))
    await store.keep_codes("ada", codes("dac"))
    await store.keep_codes("ada", codes("other", seed=1))
    assert await store.codes("ada", "third", ADA) is None
    for codec, seed in (("dac", 0), ("other", 1)):
        kept = await store.codes("ada", codec, ADA)
        assert kept is not None
        np.testing.assert_array_equal(kept.codes, drawn(seed, 650))


async def test_codes_are_kept_once_more_with_what_was_heard_since(store: VoiceStore) -> None:
    await store.add(new_voice("ada"))
    await store.keep_codes("ada", codes())
    await store.keep_codes("ada", codes(seed=2, frames=3, transcript=""))
    kept = await store.codes("ada", "dac", ADA)
    assert kept is not None
    assert kept.transcript == ""
    np.testing.assert_array_equal(kept.codes, drawn(2, 3))


async def test_codes_of_another_recording_are_neither_kept_nor_found(store: VoiceStore) -> None:
    await store.add(new_voice("ada", size=10))
    await store.keep_codes("ada", codes())
    assert await store.codes("ada", "dac", ADA) is None
    await store.remove("ada")
    await store.add(new_voice("ada"))
    await store.keep_codes("ada", codes())
    assert await store.codes("ada", "dac", sha256(b"another")) is None


async def test_codes_go_with_their_voice(store: VoiceStore) -> None:
    await store.add(new_voice("ada"))
    await store.keep_codes("ada", codes())
    await store.remove("ada")
    await store.add(new_voice("ada"))
    assert await store.codes("ada", "dac", ADA) is None


@pytest.mark.parametrize("voice_id", ["nobody", "", "\ud800", "nul\x00", "a" * 101])
async def test_codes_of_a_voice_that_is_not_there_are_dropped(store: VoiceStore, voice_id: str) -> None:
    await store.keep_codes(voice_id, codes())
    assert await store.codes(voice_id, "dac", ADA) is None


async def test_twenty_replicas_may_keep_the_same_codes_at_once(store: VoiceStore) -> None:
    await store.add(new_voice("ada"))
    await asyncio.gather(*(store.keep_codes("ada", codes()) for _ in range(20)))
    assert await store.codes("ada", "dac", ADA) is not None


@pytest.fixture
def beside(database_url: str | None, tmp_path: Path) -> AsyncEngine:
    """The same database, as another program sees it."""
    if database_url is None:
        return sqlite_engine(tmp_path / "june.db", Limits())
    return postgres_engine(database_url, Limits())


async def run(beside: AsyncEngine, sql: str, **values: object) -> int:
    async with beside.begin() as connection:
        return (await connection.execute(text(sql), values)).rowcount


async def test_codes_survive_a_restart_and_go_when_another_program_removes_the_voice(
    reopen: OpenStore, beside: AsyncEngine
) -> None:
    first = await reopen()
    await first.add(new_voice("ada"))
    await first.keep_codes("ada", codes())
    again = await reopen()
    assert await again.codes("ada", "dac", ADA) is not None
    assert await run(beside, "DELETE FROM tts_voices") == 1
    assert await run(beside, "DELETE FROM tts_voice_codes") == 0
    await beside.dispose()


@pytest.mark.parametrize("found", [b"", b"\x93NUMPY\x01", b"gibberish"])
async def test_codes_that_cannot_be_read_count_as_none(
    reopen: OpenStore, beside: AsyncEngine, found: bytes
) -> None:
    store = await reopen()
    await store.add(new_voice("ada"))
    await store.keep_codes("ada", codes())
    assert await run(beside, "UPDATE tts_voice_codes SET codes = :found", found=found) == 1
    assert await store.codes("ada", "dac", ADA) is None
    await beside.dispose()
