"""The back ends that must pass the same tests."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from tests.contract.voices import OpenStore

from june_tts.ports import VoiceStore
from june_tts.store import MemoryVoiceStore, open_store


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """What `open_store` takes; None means SQLite, in the test's `tmp_path`."""
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else None


@pytest.fixture
async def reopen(database_url: str | None, tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Opens a database once more, as another process would; closes everything at the end."""
    opened: list[VoiceStore] = []

    async def again() -> VoiceStore:
        opened.append(await open_store(database_url, tmp_path))
        return opened[-1]

    yield again
    for store in opened:
        await store.close()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def back_end(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    if request.param == "memory":
        return _memory
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else None
    return partial(open_store, url, tmp_path)


@pytest.fixture
async def store(back_end: OpenStore) -> AsyncIterator[VoiceStore]:
    """One store of each kind, closed after the test."""
    opened = await back_end()
    yield opened
    await opened.close()


async def _memory() -> VoiceStore:
    return MemoryVoiceStore()
