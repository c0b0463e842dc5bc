"""A library that is closed leaves nothing behind, also where its callers were cut off."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from june_tts.store import open_store

pytestmark = pytest.mark.unit

ROUNDS = 60


@pytest.fixture
def said_by_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    said: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda fault: said.append(str(fault.exc_value)))
    yield said


def test_transactions_cut_off_anywhere_keep_no_thread_and_no_close(
    tmp_path: Path, said_by_threads: list[str]
) -> None:
    async def cut_off(after: float) -> None:
        store = await open_store(None, tmp_path)
        pings = [asyncio.create_task(store.ping()) for _ in range(3)]
        await asyncio.sleep(after)
        for ping in pings:
            ping.cancel()
        await asyncio.gather(*pings, return_exceptions=True)
        async with asyncio.timeout(10):
            await store.close()

    before = threading.active_count()
    for number in range(ROUNDS):
        asyncio.run(cut_off(number * 1e-4))
    assert said_by_threads == []
    assert threading.active_count() <= before
