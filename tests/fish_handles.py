"""Handles to engine processes over the fakes, and what is done with them in several tests."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from june_tts.fish.events import Done, Frames, LoopConfig
from june_tts.fish.handle import Handle, Patience
from june_tts.fish.link import Limits
from june_tts.fish.options import EngineOptions
from june_tts.fish.prompt import Prompt
from june_tts.fish.sequence import SamplingParams
from tests.fish_fakes import SIZES, prompt

SLOW_STEP = ("--step", "0.005")
"""Long enough for a request to be under way when something happens to it."""
QUICK = Limits(load=20.0, stall=30.0, ping=0.1, close=3.0)
SOON = Patience(wait=15.0)


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "tests.fish_worker", *options]


def options(
    *, slots: int = 16, codec: str = "fake", window: int = 172, max_waiting: int = 64
) -> EngineOptions:
    limits = LoopConfig(max_waiting=max_waiting)
    return EngineOptions("fake", codec, slots=slots, window=window, loop=limits)


@asynccontextmanager
async def handle(
    *worker_options: str,
    given: EngineOptions | None = None,
    limits: Limits = QUICK,
    patience: Patience = SOON,
) -> AsyncIterator[Handle]:
    """A handle whose process is ready."""
    started = Handle(command(*worker_options), given or options(), limits=limits, patience=patience)
    try:
        await started.start()
        yield started
    finally:
        await started.close()


@dataclass(frozen=True)
class Spoken:
    codes: NDArray[np.int32]
    samples: NDArray[np.float32]
    done: Done


def text(seed: int = 0, *, length: int = 10) -> Prompt:
    return Prompt(prompt(length, seed=seed), 0)


async def speak(engine: Handle, seed: int = 0, *, frames: int = 20) -> Spoken:
    """A whole request."""
    codes, samples = [np.zeros((len(SIZES), 0), np.int32)], [np.zeros(0, np.float32)]
    async with aclosing(engine.generate(text(seed), SamplingParams(seed=seed, max_frames=frames))) as made:
        async for event in made:
            if isinstance(event, Frames):
                codes.append(event.codes)
                samples += [] if event.samples is None else [event.samples]
            else:
                return Spoken(np.concatenate(codes, axis=1), np.concatenate(samples), event)
    raise AssertionError("a stream ended without Done")


async def until(true: Callable[[], bool]) -> None:
    """Wait for another process to come so far; fails after 10 s."""
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it has not come to that in 10 s")


async def until_busy(engine: Handle, running: int) -> None:
    """Wait until so many requests have a slot."""
    await until(lambda: engine.stats.running >= running)


async def until_idle(engine: Handle) -> None:
    await until(lambda: not (engine.stats.running or engine.stats.waiting))
