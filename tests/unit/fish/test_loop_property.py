"""Requests join, leave, rest and end at random: each gives what it gives alone, and no slot is lost."""

from functools import lru_cache

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.fish_fakes import FakeCodec, FakeRunner, prompt
from tests.fish_loops import Clock, Outcome, Outcomes, alone, run

from june_tts.errors import Overloaded
from june_tts.fish.events import LoopConfig, Request
from june_tts.fish.loop import Loop
from june_tts.fish.sequence import SamplingParams, Stop

pytestmark = pytest.mark.unit

POSITIONS = 48
CHUNK = 5
VOICE_PREFIXES = (0, 3, 10, 17)

params = st.builds(
    SamplingParams,
    seed=st.integers(0, 40),
    max_frames=st.integers(1, 30),
    repeat_guard=st.sampled_from([0, 2, 3]),
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    voice = draw(st.integers(0, len(VOICE_PREFIXES) - 1))
    prefix = VOICE_PREFIXES[voice]
    length = draw(st.integers(prefix + 1, POSITIONS - 1))
    columns = prompt(length, voice=voice, prefix=prefix, seed=draw(st.integers(0, 3)))
    return Request("", columns, prefix, draw(params), realtime=draw(st.booleans()), keep_columns=True)


@lru_cache(maxsize=4096)
def _alone(columns: bytes, length: int, chosen: SamplingParams) -> Outcome:
    """Without a prefix cache, as the only request there is. The first byte of `columns` is the prefix."""
    prefix, raw = columns[0], columns[1:]
    wanted = Request("a", np.frombuffer(raw, np.int32).reshape(-1, length), prefix, chosen, keep_columns=True)
    config = LoopConfig(prefill_chunk=CHUNK, prefix_bytes=0, illegal_guard=4)
    return alone(wanted, config, FakeRunner(1, POSITIONS))


def expected(wanted: Request) -> Outcome:
    return _alone(bytes([wanted.prefix]) + wanted.columns.tobytes(), wanted.columns.shape[1], wanted.params)


class Traffic(RuleBasedStateMachine):
    @initialize(
        slots=st.integers(1, 4),
        max_batch=st.integers(1, 4),
        max_waiting=st.integers(0, 4),
        prefix_bytes=st.sampled_from([0, 120, 1000]),
        first_frames=st.integers(1, 4),
        codec=st.booleans(),
    )
    def start(
        self, slots: int, max_batch: int, max_waiting: int, prefix_bytes: int, first_frames: int, codec: bool
    ) -> None:
        self.runner = FakeRunner(slots, POSITIONS)
        self.codec = codec
        self.clock = Clock()
        config = LoopConfig(
            max_batch=max_batch,
            max_waiting=max_waiting,
            prefill_chunk=CHUNK,
            first_frames=first_frames,
            most_frames=6,
            codec_frames=10,
            prefix_bytes=prefix_bytes,
            illegal_guard=4,
        )
        self.loop = Loop(self.runner, FakeCodec() if codec else None, config, clock=self.clock)
        self.submitted: dict[str, Request] = {}
        self.parked: set[str] = set()
        self.cancelled: set[str] = set()
        self.outcomes = Outcomes()

    @rule(wanted=requests())
    def submit(self, wanted: Request) -> None:
        name = str(len(self.submitted))
        wanted = Request(
            name, wanted.columns, wanted.prefix, wanted.params, realtime=wanted.realtime, keep_columns=True
        )
        stats = self.loop.stats()
        full = stats.running + stats.waiting >= stats.slots + self.loop._config.max_waiting
        try:
            self.loop.submit(wanted)
            assert not full
            self.submitted[name] = wanted
        except Overloaded:
            assert full

    @precondition(lambda self: self.submitted)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.submitted)))
        under_way = name in self.loop._streams
        assert self.loop.cancel(name) == under_way
        if under_way:
            self.cancelled.add(name)
        self.no_slot_is_lost()

    @precondition(lambda self: self.submitted)
    @rule(data=st.data())
    def park(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.submitted)))
        self.loop.park(name, True)
        self.parked.add(name)

    @precondition(lambda self: self.parked)
    @rule()
    def resume(self) -> None:
        self.loop.park(self.parked.pop(), False)

    @rule(turns=st.integers(1, 12), seconds=st.sampled_from([0.0, 0.001, 0.05]))
    def turn(self, turns: int, seconds: float) -> None:
        for _ in range(turns):
            self.outcomes.take(self.loop.turn())
            self.clock.now += seconds

    @invariant()
    def no_slot_is_lost(self) -> None:
        if not hasattr(self, "loop"):
            return
        scheduler = self.loop._scheduler
        held = [stream.slot for stream in scheduler.running]
        assert scheduler.pool.used == set(held) and len(set(held)) == len(held)
        assert scheduler.pool.free + len(held) == scheduler.pool.count
        assert self.loop.stats().prefix_bytes <= self.loop._config.prefix_bytes

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        for name in self.parked:
            self.loop.park(name, False)
        run(self.loop, self.outcomes)
        stats = self.loop.stats()
        assert (stats.running, stats.waiting, stats.voicing) == (0, 0, 0)
        assert not self.loop._scheduler._making
        for name, wanted in self.submitted.items():
            assert (self.outcomes[name].done.stop is Stop.CANCELLED) == (name in self.cancelled)
            self._check(self.outcomes[name], expected(wanted))

    def _check(self, got: Outcome, wanted: Outcome) -> None:
        frames = got.all_codes.shape[1]
        assert got.done.frames == frames
        assert got.done.columns is not None and wanted.done.columns is not None
        made = got.done.columns.shape[1]
        np.testing.assert_array_equal(got.all_codes, wanted.all_codes[:, :frames])
        np.testing.assert_array_equal(got.done.columns, wanted.done.columns[:, :made])
        if self.codec:
            np.testing.assert_array_equal(got.all_samples, wanted.all_samples[: 4 * frames])
        if got.done.stop is not Stop.CANCELLED:
            assert (got.done.stop, got.done.illegal) == (wanted.done.stop, wanted.done.illegal)
            assert (frames, made) == (wanted.done.frames, wanted.done.columns.shape[1])


Traffic.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestTraffic = Traffic.TestCase
