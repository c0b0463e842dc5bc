"""Every metric of the documentation is seen to move where the thing happens that it counts.

Each test does something and says what moves by it; the last one fails for a documented metric without a test.
"""

import asyncio
import mmap
import os
import resource
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.contract.voices import new_voice
from tests.docs.markdown import REFERENCE, code, read, table
from tests.eleven_socket import talking
from tests.fake_rooms import FakeRooms
from tests.fake_server import fake_server
from tests.fish_engines import CLONED, utterance, written
from tests.fish_engines import engine as fish_engine
from tests.fish_handles import SLOW_STEP, until
from tests.june_in_rooms import june
from tests.live_server import becomes, live_server
from tests.livekit_service import LiveKit
from tests.metric_changes import Scrapes
from tests.nvml_fake import FakeNvml
from tests.services import RedisServer

from june_tts.bootstrap import running
from june_tts.bootstrap.telemetry import health_of
from june_tts.cache.voices import CachedVoices, VoiceCacheRules
from june_tts.engine.fake import FakeEngine
from june_tts.errors import EngineFailed, StoreUnavailable
from june_tts.http.app import create_app
from june_tts.http.services import Services
from june_tts.settings import load
from june_tts.store.memory import MemoryVoiceStore
from june_tts.telemetry.metrics import Metrics
from june_tts.telemetry.nvml import Gpus
from june_tts.telemetry.recorder import Recorder
from june_tts.types import ClonedVoice, Sampling

pytestmark = pytest.mark.integration

SEEN: set[str] = set()
"""What the tests of this module see move."""
SPEECH = {"input": "Hello.", "voice": "fake", "response_format": "wav"}

Test = Callable[..., Awaitable[set[str]]]


def moves(*names: str) -> Callable[[Test], Callable[..., Awaitable[None]]]:
    """The test returns what has moved, and all of these must be in it."""
    SEEN.update(names)

    def decorate(test: Test) -> Callable[..., Awaitable[None]]:
        @wraps(test)
        async def tested(*given: Any, **fixtures: Any) -> None:
            moved = await test(*given, **fixtures)
            assert set(names) <= moved, f"stood still: {sorted(set(names) - moved)}"

        tested.__annotations__["return"] = None
        return tested

    return decorate


def of(metrics: Metrics) -> Scrapes:
    return Scrapes(lambda: metrics.expose().decode())


@asynccontextmanager
async def june_server(folder: Path, **settings: str) -> AsyncIterator[tuple[Services, httpx.AsyncClient]]:
    """A whole server over the fake engine, built as `june-tts serve` builds it."""
    given = {"JUNE_ENGINES": "fake", "JUNE_DEFAULT_VOICE": "fake", "JUNE_DATA_DIR": str(folder), **settings}
    async with running(load(environ=given).settings) as services:
        transport = httpx.ASGITransport(create_app(services))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield services, http


@moves(
    *("tts_requests_total", "tts_latency_seconds", "tts_ttfa_seconds", "tts_chunk_gap_seconds", "tts_rtf"),
    *("tts_underruns_total", "tts_audio_seconds_total", "tts_text_length_chars", "tts_active_requests"),
    *("tts_queue_wait_seconds", "tts_playing", "tts_stream_limit", "tts_engine_streams", "tts_engine_runs"),
    *("tts_http_requests_total", "tts_http_first_byte_seconds", "tts_event_loop_lag_seconds"),
)
async def test_a_stream_that_is_slower_than_it_sounds(tmp_path: Path) -> set[str]:
    async with june_server(tmp_path, JUNE_FAKE_STEP_SECONDS="0.1") as (services, http):
        scrapes = of(services.metrics)
        speaking = asyncio.create_task(http.post("/v1/audio/speech", json=SPEECH))
        await becomes(lambda: services.engines[0].active == 1)
        during = scrapes.look()
        assert (during["tts_active_requests"], during["tts_playing"], during["tts_engine_runs"]) == (1, 1, 1)
        assert (await speaking).status_code == 200
        return scrapes.moved()


@moves("tts_refused_total", "tts_admission_refused_total", "tts_queued")
async def test_more_than_there_is_room_for(tmp_path: Path) -> set[str]:
    limits = {"JUNE_MAX_STREAMS": "1", "JUNE_QUEUE": "1", "JUNE_FAKE_STEP_SECONDS": "0.05"}
    async with june_server(tmp_path, **limits) as (services, http):
        scrapes = of(services.metrics)
        first, second = (asyncio.create_task(http.post("/v1/audio/speech", json=SPEECH)) for _ in range(2))
        await becomes(lambda: services.admission.waiting == 1)
        assert scrapes.look()["tts_queued"] == 1
        third = await http.post("/v1/audio/speech", json=SPEECH)
        assert [(await first).status_code, (await second).status_code, third.status_code] == [200, 200, 503]
        return scrapes.moved()


@moves("tts_sockets")
async def test_a_websocket_that_is_open() -> set[str]:
    async with live_server() as live:
        scrapes = of(live.fake.services.metrics)
        async with talking(live, "stream-input"):
            await becomes(lambda: scrapes.look()["tts_sockets"] == 1)
        await becomes(lambda: scrapes.look()["tts_sockets"] == 0)
        return scrapes.moved()


@moves("tts_auth_failures_total", "tts_rate_limited_total", "tts_keys")
async def test_keys_that_are_wrong_new_and_used_up(tmp_path: Path) -> set[str]:
    async with june_server(tmp_path, JUNE_API_KEY="secret", JUNE_REQUESTS_PER_MINUTE="2") as (services, http):
        scrapes = of(services.metrics)
        right = {"authorization": "Bearer secret"}
        assert (await http.get("/stats", headers={"authorization": "Bearer guess"})).status_code == 401
        assert (await http.post("/api/admin/keys", json={"name": "Ann"}, headers=right)).status_code == 201
        assert (await http.get("/stats", headers=right)).status_code == 200
        assert (await http.get("/stats", headers=right)).status_code == 429
        return scrapes.moved()


@moves(
    *("tts_phrase_hits_total", "tts_phrase_misses_total", "tts_phrase_saved_seconds_total"),
    *("tts_phrase_stored_total", "tts_phrase_bytes", "tts_phrase_entries"),
)
async def test_a_phrase_that_is_asked_for_again_and_again(tmp_path: Path) -> set[str]:
    async with june_server(tmp_path) as (services, http):
        scrapes = of(services.metrics)
        for _ in range(4):
            told = (await http.post("/v1/audio/speech", json=SPEECH)).headers.get("x-june-cache", "")
        assert told == "hit"
        return scrapes.moved()


@moves("tts_batch_items_total")
async def test_a_batch(tmp_path: Path) -> set[str]:
    async with june_server(tmp_path) as (services, http):
        scrapes = of(services.metrics)
        items = [{"text": "One."}, {"text": "Two.", "voice_id": "nobody"}]
        assert (await http.post("/v1/batch", json={"items": items})).status_code == 200
        return scrapes.moved()


@moves("tts_jobs_total", "tts_job_pieces_total", "tts_jobs_running")
async def test_a_job(tmp_path: Path) -> set[str]:
    async with june_server(tmp_path, JUNE_FAKE_STEP_SECONDS="0.02") as (services, http):
        scrapes = of(services.metrics)
        job = (await http.post("/v1/jobs", json={"text": "A long text. " * 5})).json()
        await becomes(lambda: scrapes.look()["tts_jobs_running"] == 1)

        async def state() -> str:
            return str((await http.get(f"/v1/jobs/{job['id']}")).json()["state"])

        async with asyncio.timeout(20):
            while await state() in ("queued", "running"):  # noqa: ASYNC110  a client asks
                await asyncio.sleep(0.05)
        await becomes(lambda: scrapes.look()["tts_jobs_running"] == 0)
        return scrapes.moved()


@moves("tts_engine_stalled", "tts_engine_stalls_total")
async def test_an_engine_that_makes_nothing() -> set[str]:
    async with fake_server(FakeEngine(step_seconds=3600), watchdog_seconds=0.1) as server:
        scrapes = of(server.services.metrics)
        stream = asyncio.create_task(server.http.post("/v1/audio/speech", json=SPEECH))
        await becomes(lambda: scrapes.look()["tts_engine_stalled"] == 1)
        stream.cancel()
        await becomes(lambda: scrapes.look()["tts_engine_stalled"] == 0)
        return scrapes.moved()


@moves("tts_room_utterances_total", "tts_room_heard_seconds_total", "tts_room_waiting")
async def test_utterances_in_a_room() -> set[str]:
    async with fake_server(rooms=FakeRooms(second=0.1)) as server:
        scrapes = of(server.services.metrics)
        body = {"text": "Hello there.", "room_name": "a"}
        said = [asyncio.create_task(server.http.post("/api/tts/synthesize", json=body)) for _ in range(2)]
        await becomes(lambda: scrapes.look()["tts_room_waiting"] == 1)
        assert [reply.status_code for reply in await asyncio.gather(*said)] == [200, 200]
        return scrapes.moved()


@moves("tts_rooms", "tts_room_joins_total", "tts_room_underruns_total")
async def test_a_room_that_is_joined_and_hears_gaps(livekit: LiveKit) -> set[str]:
    async with june(livekit, engine=FakeEngine(step_seconds=0.15), buffer_ms=40) as one:
        scrapes = of(one.metrics)
        assert (await one.say("Hello.")).status_code == 200
        assert scrapes.look()["tts_rooms"] == 1
        return scrapes.moved()


@moves(
    *("tts_fish_steps_total", "tts_fish_rows_total", "tts_fish_frames_total", "tts_fish_waiting"),
    *("tts_fish_prompt_positions_total", "tts_fish_slots_taken", "tts_fish_batch"),
    *("tts_fish_kv_positions_used", "tts_fish_kv_positions", "tts_fish_slots", "tts_fish_restarts_total"),
)
async def test_the_fish_engine_at_work_killed_and_back(tmp_path: Path) -> set[str]:
    metrics = Metrics()
    async with fish_engine(tmp_path, *SLOW_STEP, slots=1) as engine:
        metrics.watch_fish(lambda: engine.counts)
        await until(lambda: engine.counts.slots == 1)
        scrapes = of(metrics)
        long = replace(utterance(), sampling=Sampling(max_frames=1000))
        streams = [engine.synthesize(long, written("Words. " * 20)) for _ in range(2)]
        reading = [asyncio.create_task(_drained(stream)) for stream in streams]
        await until(lambda: engine.counts.slots_taken == 1 and engine.counts.waiting == 1)
        assert scrapes.look()["tts_fish_kv_positions_used"] > 0
        os.kill(engine._handle.pid or 0, signal.SIGKILL)
        await asyncio.gather(*reading, return_exceptions=True)
        assert scrapes.look()["tts_fish_slots"] == 0
        await until(lambda: engine.counts.restarts == 1 and engine.counts.slots == 1)
        return scrapes.moved()


@moves("tts_fish_prefix_hits_total", "tts_fish_prefix_misses_total", "tts_fish_prefix_bytes")
async def test_the_fish_engine_in_a_cloned_voice_twice(tmp_path: Path) -> set[str]:
    metrics = Metrics()
    async with fish_engine(tmp_path) as engine:
        metrics.watch_fish(lambda: engine.counts)
        scrapes = of(metrics)
        for _ in range(2):
            await _drained(engine.synthesize(utterance(CLONED), written("Hello there.")))
        await until(lambda: engine.counts.prefix_hits > 0)
        return scrapes.moved()


@moves("tts_fish_failed_steps_total")
async def test_the_fish_engine_where_a_step_fails(tmp_path: Path) -> set[str]:
    metrics = Metrics()
    async with fish_engine(tmp_path, "--broken") as engine:
        metrics.watch_fish(lambda: engine.counts)
        scrapes = of(metrics)
        with pytest.raises(EngineFailed):
            await _drained(engine.synthesize(utterance(), written("Hello there.")))
        await until(lambda: engine.counts.failed_steps > 0)
        return scrapes.moved()


async def _drained(chunks: Any) -> None:
    async with aclosing(chunks):
        async for _ in chunks:
            pass


@moves(
    *("tts_gpu_memory_used_bytes", "tts_gpu_memory_total_bytes"),
    *("tts_gpu_utilisation_ratio", "tts_gpu_temperature_celsius"),
)
async def test_a_gpu_that_is_read() -> set[str]:
    metrics, gpus = Metrics(), Gpus(FakeNvml)
    metrics.watch_gpus(lambda: gpus.now)
    scrapes = of(metrics)
    reading = asyncio.create_task(gpus.run())
    await becomes(lambda: bool(gpus.now))
    reading.cancel()
    return scrapes.moved()


class Gone(MemoryVoiceStore):
    """A library that is away at will."""

    gone = False

    async def ping(self) -> None:
        self._there()

    async def get(self, voice_id: str) -> ClonedVoice:
        self._there()
        return await super().get(voice_id)

    def _there(self) -> None:
        if self.gone:
            raise StoreUnavailable("the library is away")


@moves("tts_database_up")
async def test_a_database_that_goes_away(tmp_path: Path) -> set[str]:
    settings = load(environ={"JUNE_DATA_DIR": str(tmp_path)}).settings
    async with fake_server() as server, AsyncExitStack() as stack:
        metrics, store, admission = server.services.metrics, Gone(), server.services.admission
        health = health_of(settings, [], store, Recorder(Metrics()), admission, metrics, None, stack)
        await health.look()
        scrapes = of(metrics)
        store.gone = True
        await health.look()
        return scrapes.moved()


@moves("tts_database_connections")
async def test_a_database_that_is_asked_by_several_at_once(tmp_path: Path) -> set[str]:
    async with june_server(tmp_path) as (services, http):
        scrapes = of(services.metrics)
        await asyncio.gather(*(http.get("/api/voices") for _ in range(4)))
        return scrapes.moved()


@moves("tts_voice_cache_reads_total", "tts_voice_cache_bytes")
async def test_a_cloned_voice_that_is_spoken(tmp_path: Path) -> set[str]:
    async with june_server(tmp_path, JUNE_FAKE_CLONES="true") as (services, http):
        scrapes = of(services.metrics)
        await services.store.add(new_voice("ada"))
        assert (await http.post("/v1/audio/speech", json=SPEECH | {"voice": "ada"})).status_code == 200
        return scrapes.moved()


@moves("tts_voice_cache_joins_total", "tts_voice_cache_evictions_total", "tts_voice_cache_stale_total")
async def test_a_cache_of_voices_that_is_small_and_busy_and_whose_library_goes_away() -> set[str]:
    metrics, library, now = Metrics(), Gone(), [0.0]
    for name in ("ada", "bob", "cid"):
        await library.add(new_voice(name, size=2000))
    cache = CachedVoices(library, VoiceCacheRules(memory_bytes=9000), metrics.voices, clock=lambda: now[0])
    scrapes = of(metrics)
    await asyncio.gather(*(cache.audio("ada") for _ in range(3)))
    await cache.audio("bob")
    await cache.audio("cid")
    library.gone = True
    now[0] += 1.0
    await cache.get("cid")
    moved = scrapes.moved()
    await cache.close()
    return moved


@moves("tts_voice_cache_news_total")
async def test_a_voice_that_another_replica_adds(tmp_path: Path, redis: RedisServer) -> set[str]:
    shared = {"REDIS_URL": redis.url}
    async with june_server(tmp_path, **shared) as (here, _), june_server(tmp_path, **shared) as (other, _):
        scrapes = of(here.metrics)
        for number in range(100):
            # again: the first may come before this replica listens
            await other.store.add(new_voice(f"ada{number}"))
            await asyncio.sleep(0.05)
            if scrapes.look()["tts_voice_cache_news_total"] > 0:
                break
        return scrapes.moved()


@moves("tts_redis_up", "tts_redis_calls", "tts_redis_errors_total", "tts_breaker_openings_total")
async def test_a_redis_that_freezes(tmp_path: Path, redis: RedisServer) -> set[str]:
    async with june_server(tmp_path, REDIS_URL=redis.url) as (services, _):
        scrapes = of(services.metrics)
        assert services.shared is not None
        assert scrapes.look()["tts_redis_up"] == 1
        redis.pause()
        asking = asyncio.create_task(services.shared.get("a"))
        await becomes(lambda: scrapes.look()["tts_redis_calls"] >= 1)
        assert await asking is None
        for _ in range(3):
            await services.shared.get("a")
        await becomes(lambda: scrapes.look()["tts_redis_up"] == 0)
        return scrapes.moved()


@moves(
    *("process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes"),
    *("process_open_fds", "process_max_fds"),
)
async def test_a_process_that_does_something() -> set[str]:
    scrapes = of(Metrics())
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    try:
        # not from the allocator, which may have as much at hand
        memory = mmap.mmap(-1, 64 << 20)
        memory.write(b"x" * (64 << 20))
        opened = os.open(os.devnull, os.O_RDONLY)
        scrapes.look()
        os.close(opened)
        memory.close()
        return scrapes.moved()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


SEEN.update(("process_start_time_seconds", "tts_build_info"))


async def test_what_never_moves_is_true(tmp_path: Path) -> None:
    async with june_server(tmp_path) as (services, _):
        told = services.metrics.expose().decode()
    began = float(
        next(line for line in told.splitlines() if line.startswith("process_start_time")).split()[1]
    )
    assert began == pytest.approx(psutil.Process().create_time(), abs=2)
    assert f'version="{version("june-tts")}"' in next(
        line for line in told.splitlines() if line.startswith("tts_build_info{")
    )


def test_every_documented_metric_is_seen_to_move_here() -> None:
    documented = {code(row[0]) for row in table(read(REFERENCE / "metrics.md"), "metric")}
    assert documented - SEEN == set(), "these have no test that does what they count"
    assert SEEN - documented == set(), "these are not documented"
