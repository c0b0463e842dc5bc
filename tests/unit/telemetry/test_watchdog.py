"""Who waits for an engine that makes nothing, and who only seems to."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest
from tests.fake_server import FakeServer, fake_server

from june_tts.engine.fake import FakeEngine
from june_tts.errors import StoreUnavailable
from june_tts.ports import Engine
from june_tts.service.health import Health
from june_tts.service.watchdog import Watchdog
from june_tts.store.memory import MemoryVoiceStore
from june_tts.telemetry.metrics import Metrics
from june_tts.telemetry.progress import Progress
from june_tts.types import EngineHealth, SpeechRequest

pytestmark = pytest.mark.unit

SECONDS = 0.2
STUCK = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Knowing(FakeEngine):
    """Tells for itself since when it has made nothing."""

    idle_since: float | None = None


def watchdog(engines: Sequence[Engine], clock: Clock, metrics: Metrics | None = None) -> Watchdog:
    return Watchdog(engines, Progress(), (metrics or Metrics()).engines, 10.0, clock)


def looks(dog: Watchdog, clock: Clock, seconds: float) -> bool:
    """Look every second for so long, and say whether the engine is stalled then."""
    for _ in range(int(seconds)):
        clock.now += 1
        dog.look()
    return "fake" in dog.stalled


def test_an_engine_is_stalled_once_it_has_made_nothing_for_the_time_and_back_when_it_moves() -> None:
    clock, engine, metrics = Clock(), Knowing(), Metrics()
    dog = watchdog([engine], clock, metrics)
    engine.idle_since = clock.now
    assert not looks(dog, clock, 9)
    assert looks(dog, clock, 1)
    assert looks(dog, clock, 5)
    engine.idle_since = clock.now
    assert not looks(dog, clock, 1)
    engine.idle_since = None
    assert not looks(dog, clock, 30)
    assert 'tts_engine_stalls_total{engine="fake"} 1.0' in metrics.expose().decode()


def test_a_pause_of_the_server_itself_is_not_the_engines_stall() -> None:
    clock, engine = Clock(), Knowing()
    dog = watchdog([engine], clock)
    engine.idle_since = clock.now
    clock.now += 60
    dog.look()
    assert not dog.stalled
    engine.idle_since = clock.now
    assert not looks(dog, clock, 1)


def test_streams_that_come_and_go_while_one_waits_are_progress() -> None:
    progress = Progress()
    waiting, other = progress.stream("fake"), progress.stream("fake")
    since = progress.idle_since("fake")
    other.made()
    moved = progress.idle_since("fake")
    assert since is not None and moved is not None and moved > since
    assert progress.idle_since("another") is None
    other.over()
    waiting.over()
    assert progress.idle_since("fake") is None


def test_a_reader_who_pauses_waits_for_nothing() -> None:
    progress = Progress()
    stream = progress.stream("fake")
    stream.made()
    assert progress.idle_since("fake") is None
    stream.asked()
    assert progress.idle_since("fake") is not None


async def test_words_that_are_still_being_written_are_not_waited_for() -> None:
    progress = Progress()
    stream = progress.stream("fake")
    more = asyncio.Event()

    async def written() -> AsyncIterator[str]:
        yield "first"
        await more.wait()
        yield "second"

    pieces = stream.read(written())
    assert await anext(pieces) == "first"
    assert progress.idle_since("fake") is not None
    second = asyncio.ensure_future(anext(pieces))
    await asyncio.sleep(0)
    assert progress.idle_since("fake") is None
    more.set()
    assert await second == "second"
    assert progress.idle_since("fake") is not None


async def until_ready_is(server: FakeServer, status: int) -> dict[str, object]:
    async with asyncio.timeout(5):
        while (reply := await server.http.get("/health/ready")).status_code != status:  # noqa: ASYNC110  a probe asks
            await asyncio.sleep(0.02)
    found: dict[str, object] = reply.json()
    return found


async def test_ready_names_an_engine_that_makes_nothing_for_its_streams_and_no_other() -> None:
    async with fake_server(FakeEngine(step_seconds=STUCK), watchdog_seconds=SECONDS) as server:
        stream = asyncio.create_task(server.http.post("/v1/tts", json={"text": "Hello there."}))
        told = await until_ready_is(server, 503)
        health = (await server.http.get("/health")).json()
        live = await server.http.get("/health/live")
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)
        assert await until_ready_is(server, 200) == {"status": "ready"}
    assert told["status"] == "degraded"
    assert isinstance(told["degraded"], list)
    (one,) = told["degraded"]
    assert (one["part"], one["state"]) == ("engine fake", "stalled")
    assert health["timestamp"] - 5 < one["since"] < health["timestamp"] - SECONDS
    assert (health["status"], health["degraded"]) == ("degraded", [one])
    assert live.status_code == 200


async def test_a_client_that_reads_nothing_leaves_the_server_ready() -> None:
    async with fake_server(watchdog_seconds=SECONDS) as server:
        request = SpeechRequest("r", "Hello there, this is long enough.", "fake")
        async with aclosing(server.services.synthesizer.stream(request)) as chunks:
            await anext(chunks)
            await asyncio.sleep(2 * SECONDS)
            assert (await server.http.get("/health/ready")).status_code == 200


class Restarting(FakeEngine):
    health = EngineHealth("restarting", 1_700_000_000.0, 1, "cpu")
    counts = None


async def test_ready_turns_off_while_an_engines_process_is_started_again() -> None:
    engine = Restarting()
    async with fake_server(engine) as server:
        away = await server.http.get("/health/ready")
        engine.health = EngineHealth("ready", 1_700_000_001.0, 1, "cpu")
        back = await server.http.get("/health/ready")
    assert away.status_code == 503
    assert away.json()["degraded"] == [
        {"part": "engine fake", "state": "restarting", "since": 1_700_000_000.0}
    ]
    assert back.status_code == 200


class Gone(MemoryVoiceStore):
    gone = True

    async def ping(self) -> None:
        if self.gone:
            raise StoreUnavailable("the database is away")


async def test_parts_that_are_away_are_named_with_the_time_and_do_not_turn_ready_off() -> None:
    store, engine, redis = Gone(), FakeEngine(), [False]
    dog = watchdog([engine], Clock())
    health = Health([engine], store, dog, draining=lambda: False, redis=lambda: redis[0])
    await health.look()
    first = health.troubles(rooms_away=True)
    await health.look()
    assert [(one.part, one.state) for one in first] == [
        ("database", "away"),
        ("redis", "away"),
        ("rooms", "away"),
    ]
    assert not any(one.blocks for one in first)
    assert health.troubles() == first[:2]
    store.gone, redis[0] = False, True
    await health.look()
    assert health.troubles() == []
    redis[0] = False
    (again,) = health.troubles()
    assert again.since > first[1].since
