"""The handle to the engine's process: streams, cancelling, slow readers, and a process that dies."""

import asyncio
import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import aclosing

import numpy as np
import psutil
import pytest
from tests.fish_fakes import SIZES, FakeCodec, FakeRunner
from tests.fish_handles import (
    QUICK,
    SLOW_STEP,
    command,
    handle,
    options,
    speak,
    text,
    until,
    until_busy,
    until_idle,
)
from tests.fish_loops import alone, request

from june_tts.errors import EngineFailed, InvalidRequest, ModelUnavailable
from june_tts.fish.events import Done, Frames
from june_tts.fish.handle import Handle, Patience
from june_tts.fish.link import Limits
from june_tts.fish.prompt import Prompt
from june_tts.fish.sequence import SamplingParams, Stop

pytestmark = pytest.mark.integration

STREAMS = 16
ENDLESS = 100_000
Ours = Callable[[], set[psutil.Process]]


@pytest.fixture
def ours() -> Ours:
    """Processes that this test has started and that are still there; a whole run has servers of its own."""
    me, before = psutil.Process(), set(psutil.Process().children())
    return lambda: set(me.children()) - before


def kill(engine: Handle) -> float:
    """SIGKILL. Returns when, on the monotonic clock."""
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    return time.monotonic()


async def endings(streams: list[asyncio.Task[object]]) -> list[tuple[BaseException, float]]:
    """Each stream's error, and when it came."""

    async def ending(stream: asyncio.Task[object]) -> tuple[BaseException, float]:
        with pytest.raises(EngineFailed) as caught:
            await stream
        return caught.value, time.monotonic()

    return await asyncio.gather(*map(ending, streams))


async def test_a_stream_is_what_the_loop_makes_alone() -> None:
    wanted = request("a", length=10, params=SamplingParams(seed=3, max_frames=40))
    expected = alone(wanted, runner=FakeRunner(16, 4096, end_every=0, illegal_every=0))
    async with handle() as engine:
        prompt = Prompt(wanted.columns, 0)
        events = [event async for event in engine.generate(prompt, wanted.params)]
    *frames, done = events
    assert isinstance(done, Done) and (done.stop, done.frames) == (Stop.LIMIT, 40)
    made = [event for event in frames if isinstance(event, Frames)]
    assert np.array_equal(np.concatenate([f.codes for f in made], axis=1), expected.all_codes)
    samples = [f.samples for f in made if f.samples is not None]
    assert np.array_equal(np.concatenate(samples), expected.all_samples)
    assert 0 < (done.timings.first_audio or 0) <= done.timings.ended


async def test_many_streams_at_once_are_what_each_is_alone() -> None:
    async with handle() as engine:
        single = [await speak(engine, seed) for seed in range(4)]
        together = await asyncio.gather(*(speak(engine, seed % 4) for seed in range(40)))
    for seed, spoken in enumerate(together):
        assert np.array_equal(spoken.codes, single[seed % 4].codes)
        assert np.array_equal(spoken.samples, single[seed % 4].samples)


async def test_without_a_codec_codes_come_alone() -> None:
    async with handle(given=options(codec="")) as engine:
        spoken = await speak(engine)
        assert spoken.codes.shape == (3, 20) and not spoken.samples.size
        with pytest.raises(EngineFailed, match="without a codec"):
            await engine.encode(np.zeros(8, np.float32))


async def test_closing_a_stream_frees_its_slot_for_the_next_in_line() -> None:
    async with handle(*SLOW_STEP, given=options(slots=1)) as engine:
        first = engine.generate(text(1), SamplingParams(max_frames=ENDLESS))
        async with aclosing(first):
            assert isinstance(await anext(first), Frames)
            waiting = asyncio.create_task(speak(engine, 2))
            await asyncio.sleep(0.2)
            assert not waiting.done()
        assert (await asyncio.wait_for(waiting, 5)).done.frames == 20
        await until_idle(engine)


async def test_a_reader_who_takes_nothing_stops_its_own_stream_alone() -> None:
    window = 40
    async with handle(given=options(window=window)) as engine:
        params = SamplingParams(max_frames=2000)
        async with aclosing(engine.generate(text(1), params)) as slow:
            first = await anext(slow)
            assert isinstance(first, Frames)
            await asyncio.sleep(0.5)
            made = engine.stats.frames
            await asyncio.sleep(0.5)
            assert engine.stats.frames == made < 200, "it ran ahead of its reader"
            assert (await speak(engine, 2)).done.frames == 20
            rest = [event async for event in slow]
    frames = [first, *(event for event in rest if isinstance(event, Frames))]
    assert sum(event.codes.shape[1] for event in frames) == 2000
    assert isinstance(rest[-1], Done)


async def test_a_stream_whose_last_frames_wait_for_its_reader_ends_well() -> None:
    async with handle(given=options(window=3)) as engine:
        async with aclosing(engine.generate(text(1), SamplingParams(max_frames=60))) as slow:
            frames = []
            async for event in slow:
                await asyncio.sleep(0.02)
                frames.append(event.codes.shape[1] if isinstance(event, Frames) else 0)
    assert sum(frames) == 60


async def test_a_request_the_engine_cannot_serve_is_refused_and_no_other_is_disturbed() -> None:
    misshapen = Prompt(np.zeros((2, 3), np.int32), 0)
    async with handle() as engine:
        with pytest.raises(InvalidRequest, match="positions"):
            async with aclosing(engine.generate(text(length=5000), SamplingParams())) as made:
                await anext(made)
        with pytest.raises(InvalidRequest, match="shape"):
            async with aclosing(engine.generate(misshapen, SamplingParams())) as made:
                await anext(made)
        assert (await speak(engine)).done.frames == 20


async def test_a_request_beyond_the_queue_is_refused_as_retryable() -> None:
    async with handle(*SLOW_STEP, given=options(slots=1, max_waiting=1)) as engine:
        streams = [asyncio.create_task(speak(engine, seed, frames=60)) for seed in range(4)]
        outcomes = await asyncio.gather(*streams, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert len(refused) == 2
    assert all(isinstance(error, EngineFailed) and "slots" in str(error) for error in refused)


async def test_recordings_are_encoded_and_codes_decoded() -> None:
    samples = np.linspace(-1, 1, 401, dtype=np.float32)
    async with handle() as engine:
        codes = await engine.encode(samples)
        assert np.array_equal(codes, FakeCodec().encode(samples))
        codec = FakeCodec()
        assert np.array_equal(await engine.decode(codes), codec.decode([codec.stream()], [codes])[0])
        largest = np.array(SIZES, np.int32)[:, None] - 1
        assert np.array_equal(await engine.decode(largest + 5), await engine.decode(largest))
        assert (await engine.decode(np.zeros((3, 0), np.int32))).size == 0
        with pytest.raises(InvalidRequest, match="codes"):
            await engine.decode(np.zeros((4, 2), np.int32))
        with pytest.raises(InvalidRequest, match="codes"):
            await engine.decode(np.full((3, 2), -1, np.int32))


async def test_streams_go_on_while_a_recording_is_encoded() -> None:
    async with handle("--slow-encoder") as engine:
        encoding = asyncio.create_task(engine.encode(np.zeros(8, np.float32)))
        await asyncio.sleep(0.1)
        assert (await speak(engine)).done.frames == 20
        assert not encoding.done()
        assert (await encoding).shape == (3, 2)


async def test_more_recordings_than_can_wait_are_refused_as_retryable() -> None:
    async with handle("--slow-encoder") as engine:
        jobs = [asyncio.create_task(engine.encode(np.zeros(8, np.float32))) for _ in range(12)]
        done, waiting = await asyncio.wait(jobs, timeout=0.9)
        assert done and all("wait to be encoded" in str(job.exception()) for job in done)
        for job in waiting:
            job.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert (await asyncio.wait_for(engine.encode(np.zeros(8, np.float32)), 5)).size


async def test_a_kill_under_16_streams_fails_each_within_a_second_and_the_next_request_succeeds() -> None:
    async with handle(*SLOW_STEP) as engine:
        streams: list[asyncio.Task[object]] = [
            asyncio.create_task(speak(engine, seed, frames=ENDLESS)) for seed in range(STREAMS)
        ]
        await until_busy(engine, STREAMS)
        killed = kill(engine)
        for error, at in await endings(streams):
            assert isinstance(error, EngineFailed) and error.retryable
            assert "signal 9" in str(error)
            assert at - killed < 1.0
        assert engine.status == "restarting"
        assert (await speak(engine)).done.frames == 20
        assert time.monotonic() - killed < 10.0
        assert (engine.status, engine.restarts) == ("ready", 1)


async def test_twenty_kills_leave_handles_threads_and_memory_where_they_were(ours: Ours) -> None:
    me = psutil.Process()
    async with handle(*SLOW_STEP) as engine:
        measured = []
        for _ in range(20):
            streams: list[asyncio.Task[object]] = [
                asyncio.create_task(speak(engine, seed, frames=ENDLESS)) for seed in range(STREAMS)
            ]
            await until_busy(engine, STREAMS)
            kill(engine)
            await endings(streams)
            await speak(engine)
            gc.collect()
            measured.append((me.num_fds(), threading.active_count(), me.memory_info().rss))
        assert engine.restarts == 20
        assert len(ours()) == 1, "processes of before are still there"
        counted = engine.stats
        assert counted.frames >= 20 * 20, "counts of earlier processes are lost"
    fds, threads, memory = zip(*measured, strict=True)
    # not to the last one: what earlier tests of this process left may still be closing
    assert min(fds[-5:]) <= max(fds[2:7]), fds
    assert min(threads[-5:]) <= max(threads[2:7]), threads
    assert memory[-1] - memory[4] < 4 << 20, memory
    assert not ours()


async def test_a_worker_that_makes_no_progress_is_killed() -> None:
    async with handle("--stuck", limits=Limits(stall=0.5, ping=0.1)) as engine:
        stuck = engine.pid
        with pytest.raises(EngineFailed, match=r"no progress for 0\.5 s"):
            await asyncio.wait_for(speak(engine), 5)
        await until(lambda: engine.pid not in (None, stuck))
        assert not psutil.pid_exists(stuck or 0)


def stand_still(worker: psutil.Process, seconds: float) -> None:
    """The engine's process, and the whole of this one."""
    worker.suspend()
    time.sleep(seconds)
    worker.resume()


async def test_a_machine_that_stood_still_is_no_lack_of_progress() -> None:
    async with handle("--step", "0.01", limits=Limits(stall=0.5, ping=0.1)) as engine:
        async with aclosing(engine.generate(text(1), SamplingParams(max_frames=100))) as stream:
            await anext(stream)
            stand_still(psutil.Process(engine.pid), 1.5)
            events = [event async for event in stream]
        assert isinstance(events[-1], Done) and engine.restarts == 0


async def test_readers_who_take_nothing_and_idle_minutes_are_no_lack_of_progress() -> None:
    async with handle(given=options(window=10), limits=Limits(stall=0.3, ping=0.05)) as engine:
        await asyncio.sleep(0.8)
        async with aclosing(engine.generate(text(1), SamplingParams(max_frames=200))) as slow:
            await anext(slow)
            await asyncio.sleep(0.8)
            events = [event async for event in slow]
        assert isinstance(events[-1], Done) and engine.restarts == 0


async def test_an_engine_whose_steps_all_fail_is_replaced() -> None:
    async with handle("--broken") as engine:
        for _ in range(4):
            with pytest.raises(EngineFailed):
                await speak(engine)
        await until(lambda: engine.restarts > 0)


async def test_a_model_that_cannot_be_loaded_says_why_at_the_start() -> None:
    engine = Handle(command("--refuse", "codec.pth is damaged"), options(), limits=QUICK)
    with pytest.raises(ModelUnavailable, match="codec.pth is damaged"):
        await engine.start()
    assert engine.status == "failed"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (command("--die"), "signal 6"),
        (["/nowhere/python"], "cannot be started"),
        (["/bin/true"], "exit status 0"),
    ],
)
async def test_a_process_that_never_gets_ready_says_so(program: list[str], reason: str, ours: Ours) -> None:
    with pytest.raises(ModelUnavailable, match=reason):
        await Handle(program, options(), limits=QUICK).start()
    assert not ours()


async def test_a_process_that_takes_too_long_to_load_is_ended(ours: Ours) -> None:
    engine = Handle(["/bin/sleep", "60", "--"], options(), limits=Limits(load=0.2, close=0.2))
    with pytest.raises(ModelUnavailable, match="exit status|not ready after"):
        await engine.start()
    assert not ours()


async def test_garbage_from_the_process_ends_it_with_a_reason() -> None:
    shout = "import os, sys, time; os.write(int(sys.argv[1]), b'HTTP/1.1 200 OK'); time.sleep(60)"
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        await Handle([command()[0], "-c", shout], options(), limits=QUICK).start()


async def test_requests_wait_no_longer_than_the_limit_for_a_restart() -> None:
    patience = Patience(wait=0.3, first_pause=30.0)
    async with handle(patience=patience) as engine:
        kill(engine)
        await until(lambda: engine.status != "ready")
        with pytest.raises(EngineFailed, match="started again") as caught:
            await speak(engine)
        assert caught.value.retry_after == patience.wait


async def test_an_engine_that_cannot_come_back_fails_requests_at_once_and_goes_on_trying() -> None:
    engine = Handle(command(), options(), limits=QUICK, patience=Patience(wait=30.0, give_up=1))
    await engine.start()
    try:
        engine._command = ("/nowhere/python",)  # the program is gone, as after a broken update
        kill(engine)
        await until(lambda: engine.status == "failed")
        with pytest.raises(EngineFailed, match="cannot be started"):
            await speak(engine)
        engine._command = tuple(command())
        await until(lambda: engine.status == "ready")
        assert (await speak(engine)).done.frames == 20
    finally:
        await engine.close()


async def test_closing_fails_what_is_under_way_and_leaves_nothing(ours: Ours) -> None:
    async with handle(*SLOW_STEP) as engine:
        stream = asyncio.create_task(speak(engine, frames=ENDLESS))
        await until_busy(engine, 1)
        await engine.close()
        with pytest.raises(EngineFailed, match="closed"):
            await stream
        with pytest.raises(EngineFailed, match="closed"):
            await speak(engine)
    assert not ours()
