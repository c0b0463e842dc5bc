"""The back ends that must pass the same tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from tests.contract.voices import OpenStore

from june_tts.cache import Shared, SharedOptions, open_shared
from june_tts.cache.voices import CachedVoices, VoiceCacheRules
from june_tts.ports import VoiceStore
from june_tts.store import MemoryVoiceStore, Stores, open_store, open_stores
from june_tts.telemetry.metrics import Metrics


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


BACK_ENDS = (
    *("memory", "sqlite", "postgres"),
    # the cache in front of each must be as good as what is behind it
    *("cached memory", "cached sqlite", "cached postgres with redis"),
)


@pytest.fixture(params=BACK_ENDS)
def back_end(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    kind: str = request.param
    url = request.getfixturevalue("postgres_url") if "postgres" in kind else None
    if kind == "memory":
        return _memory
    if "cached" not in kind:
        return partial(open_store, url, tmp_path)
    redis = request.getfixturevalue("redis").url if "redis" in kind else None
    return partial(_cached, partial(open_stores, url, tmp_path) if "memory" not in kind else None, redis)


@pytest.fixture
async def store(back_end: OpenStore) -> AsyncIterator[VoiceStore]:
    """One store of each kind, closed after the test."""
    opened = await back_end()
    yield opened
    await opened.close()


async def _memory() -> VoiceStore:
    return MemoryVoiceStore()


class _Cached(CachedVoices):
    """With a link to Redis of its own, where it has one."""

    link: Shared | None = None

    async def close(self) -> None:
        await super().close()
        if self.link:
            await self.link.close()


async def _cached(opening: Callable[[], Awaitable[Stores]] | None, redis: str | None) -> VoiceStore:
    metrics = Metrics()
    link = await open_shared(redis, SharedOptions(1.0), metrics.links) if redis else None
    stores = await opening() if opening else None
    behind, name = (stores.voices, stores.name) if stores else (MemoryVoiceStore(), "memory")
    store = _Cached(behind, VoiceCacheRules(), metrics.voices, link, name)
    store.link = link
    return store
