"""Driving a `Loop` over the fakes, and what came of each request."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from june_tts.fish.events import Done, Event, Failed, Frames, LoopConfig, Request
from june_tts.fish.loop import Loop
from june_tts.fish.sequence import SamplingParams
from tests.fish_fakes import SIZES, FakeCodec, FakeRunner, prompt


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Outcome:
    """Everything one request gave."""

    codes: list[NDArray[np.int32]] = field(default_factory=list)
    samples: list[NDArray[np.float32]] = field(default_factory=list)
    end: Done | Failed | None = None

    def take(self, event: Event) -> None:
        assert self.end is None, "nothing may come after the end"
        if isinstance(event, Frames):
            self.codes.append(event.codes)
            if event.samples is not None:
                self.samples.append(event.samples)
        else:
            self.end = event

    @property
    def done(self) -> Done:
        assert isinstance(self.end, Done), self.end
        return self.end

    @property
    def failed(self) -> Failed:
        assert isinstance(self.end, Failed), self.end
        return self.end

    @property
    def all_codes(self) -> NDArray[np.int32]:
        return np.concatenate([np.zeros((len(SIZES), 0), np.int32), *self.codes], axis=1)

    @property
    def all_samples(self) -> NDArray[np.float32]:
        return np.concatenate([np.zeros(0, np.float32), *self.samples])


class Outcomes(dict[str, Outcome]):
    """By the request's id."""

    def take(self, events: Sequence[Event]) -> None:
        for event in events:
            self.setdefault(event.id, Outcome()).take(event)


def run(loop: Loop, outcomes: Outcomes | None = None, *, turns: int = 2000) -> Outcomes:
    """Turn until there is nothing to do."""
    outcomes = Outcomes() if outcomes is None else outcomes
    for _ in range(turns):
        if not loop.busy:
            return outcomes
        outcomes.take(loop.turn())
    raise AssertionError(f"still busy after {turns} turns: {loop.stats()}")


def request(
    name: str = "a",
    *,
    length: int = 10,
    voice: int = 0,
    prefix: int = 0,
    realtime: bool = True,
    text: int | None = None,
    params: SamplingParams | None = None,
) -> Request:
    """A request of its own text and seed, so that two of them are never alike by accident."""
    text = sum(map(ord, name)) if text is None else text
    columns = prompt(length, voice=voice, prefix=prefix, seed=text)
    params = params or SamplingParams(seed=text, max_frames=30)
    return Request(name, columns, prefix, params, realtime=realtime, keep_columns=True)


def alone(
    wanted: Request, config: LoopConfig | None = None, runner: FakeRunner | None = None, *, codec: bool = True
) -> Outcome:
    """What a request gives that has the engine to itself."""
    loop = Loop(runner or FakeRunner(), FakeCodec() if codec else None, config, clock=Clock())
    loop.submit(wanted)
    return run(loop)[wanted.id]
