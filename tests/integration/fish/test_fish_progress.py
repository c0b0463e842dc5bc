"""What a handle knows of its process: at work, stuck, or held up by readers who take nothing."""

import asyncio
import time
from contextlib import aclosing

import pytest
from tests.fish_handles import handle, options, speak, text, until

from june_tts.fish.handle import Handle
from june_tts.fish.sequence import SamplingParams

pytestmark = pytest.mark.integration

LONG = SamplingParams(max_frames=1000)
WINDOW = 8


def idle(engine: Handle, seconds: float) -> bool:
    return engine.idle_since is not None and time.monotonic() - engine.idle_since > seconds


async def given_up(task: "asyncio.Task[object]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_process_that_is_stuck_is_known_by_what_it_does_not_make() -> None:
    async with handle("--stuck") as engine:
        assert engine.idle_since is None
        waiting = asyncio.create_task(speak(engine))
        await until(lambda: idle(engine, 0.5))
        await given_up(waiting)
        assert engine.idle_since is None


async def test_readers_who_take_nothing_and_hold_every_slot_are_no_fault_of_the_engine() -> None:
    async with handle(given=options(slots=1, window=WINDOW)) as engine:
        async with aclosing(engine.generate(text(1), LONG)) as paused:
            await anext(paused)
            await until(lambda: engine.stats.running == 1 and engine.idle_since is None)
            waiting = asyncio.create_task(speak(engine, 2))
            await until(lambda: engine.stats.waiting == 1)
            assert engine.idle_since is None
        assert (await waiting).done.frames == 20
