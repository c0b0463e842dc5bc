"""Places and budgets that another process keeps, over a real socket."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.hosts import RULES, SOON, pair
from tests.waiting import becomes

from june_tts.bootstrap.hosted_admission import HostedAdmission
from june_tts.cache.memory_ledger import MemoryLedger
from june_tts.engine.fake import FakeEngine
from june_tts.engine.host_link import HostLink
from june_tts.engine.hosting import EngineHost
from june_tts.errors import DeadlineMissed, Overloaded
from june_tts.service.terms import Terms, terms
from june_tts.telemetry.metrics import Metrics

pytestmark = pytest.mark.unit


async def test_places_are_those_of_all_workers_together() -> None:
    async with pair() as two:
        one, other = two.worker(), two.worker()
        async with one.place("fake", 10), other.place("fake", 10):
            assert (one.active, other.active, two.admission.active) == (1, 1, 2)
            third = asyncio.create_task(one.place("fake", 10).__aenter__())
            await becomes(lambda: two.admission.waiting == 1)
            with pytest.raises(Overloaded, match="wait already") as full:
                async with other.place("fake", 10):
                    pass
            assert full.value.retry_after and two.refused == ["overloaded"]
        await asyncio.wait_for(third, 5)
        assert two.admission.active == 1


async def test_a_request_waits_on_the_terms_it_came_with() -> None:
    async with pair() as two:
        worker = two.worker()
        async with worker.place("fake", 10), worker.place("fake", 10):
            with terms(Terms("me", "batch", time.monotonic() + 0.05)), pytest.raises(DeadlineMissed):
                async with worker.place("fake", 10):
                    pass
        assert two.refused == ["deadline_missed"]


async def test_a_worker_that_ends_gives_its_places_back() -> None:
    async with pair() as two:
        holding = two.worker().place("fake", 10)
        await holding.__aenter__()
        assert two.admission.active == 1
        await two.link.close()
        await becomes(lambda: two.admission.active == 0)


async def test_a_stopping_worker_sends_away_who_waits_and_who_comes() -> None:
    async with pair() as two:
        worker = two.worker()
        async with worker.place("fake", 10), worker.place("fake", 10):
            third = asyncio.create_task(worker.place("fake", 10).__aenter__())
            await becomes(lambda: two.admission.waiting == 1)
            worker.draining = True
            with pytest.raises(Overloaded, match="stopping"):
                await third
            with pytest.raises(Overloaded, match="stopping"):
                await worker.place("fake", 10).__aenter__()
            await becomes(lambda: two.admission.waiting == 0)


async def test_what_listeners_get_is_told_to_the_one_queue() -> None:
    told: list[tuple[str, object]] = []

    class Place:
        def asks(self) -> None:
            told.append(("asks", None))

        def hears(self, seconds: float) -> None:
            told.append(("hears", seconds))

        def feeds(self, *, words: bool) -> None:
            told.append(("feeds", words))

    @asynccontextmanager
    async def admit(_: object) -> AsyncIterator[Place]:
        yield Place()

    with tempfile.TemporaryDirectory() as folder:
        host, link = EngineHost([FakeEngine()], admit, MemoryLedger()), HostLink(f"{folder}/host", SOON)
        await host.start(f"{folder}/host")
        await link.start()
        admission = HostedAdmission(link, RULES, Metrics().admission, lambda code: None)
        async with admission.place("fake", 10) as place:
            place.feeds(words=True)
            place.asks()
            place.hears(0.5)
            place.feeds(words=False)
            await becomes(lambda: len(told) == 4)
        assert told == [("feeds", True), ("asks", None), ("hears", 0.5), ("feeds", False)]
        await link.close()
        await host.close()
