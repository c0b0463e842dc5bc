"""Two replicas on one library, against a model: whatever fails and whenever, no voice is older than a second
while the library or Redis is there."""

import asyncio
import os
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from prometheus_client import CollectorRegistry
from tests.contract.voices import new_voice
from tests.fake_shared import FakeShared, Hub

from june_tts.cache.voices import CachedVoices, VoiceCacheRules
from june_tts.errors import StoreUnavailable, VoiceExists, VoiceNotFound
from june_tts.store import MemoryVoiceStore
from june_tts.telemetry.metrics.voices import VoiceCacheMetrics
from june_tts.types import ClonedVoice, VoiceCard

pytestmark = pytest.mark.unit

STALE_SECONDS = 1.0
IDS = ("ada", "bob")
REPLICAS = (0, 1)
# nothing waits for real time here: the clock is the machine's
RULES = VoiceCacheRules(patience_seconds=60, ping_seconds=0)
Result = TypeVar("Result")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Library(MemoryVoiceStore):
    """One that can be away, and whose answers can be held back after they were found."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.held: asyncio.Event | None = None

    async def get(self, voice_id: str) -> ClonedVoice:
        self._there()
        try:
            return await super().get(voice_id)
        finally:
            if self.held:
                await self.held.wait()

    async def change(self, voice_id: str, name: str | None, card: VoiceCard) -> ClonedVoice:
        self._there()
        return await super().change(voice_id, name, card)

    async def ping(self) -> None:
        self._there()

    async def close(self) -> None:
        """It belongs to both."""

    def _there(self) -> None:
        if self.away:
            raise StoreUnavailable


class Replicas(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = Clock()
        self.library = Library()
        self.hub = Hub(self.clock)
        self.history: dict[str, list[tuple[float, str | None]]] = {name: [(-1e9, None)] for name in IDS}
        """Names of each voice, and from when on they were true; None: no such voice."""
        self.reading: list[tuple[float, str, asyncio.Task[str | None]]] = []
        self.away_while_reading = False

    @initialize(with_redis=st.booleans())
    def start(self, with_redis: bool) -> None:
        async def build() -> list[CachedVoices]:
            return [
                CachedVoices(
                    self.library,
                    RULES,
                    VoiceCacheMetrics(CollectorRegistry()),
                    FakeShared(self.hub) if with_redis else None,
                    "library",
                    self.clock,
                )
                for _ in REPLICAS
            ]

        self.replicas = self.run(build())

    @rule(replica=st.sampled_from(REPLICAS), voice_id=st.sampled_from(IDS), number=st.integers(0, 99))
    def add(self, replica: int, voice_id: str, number: int) -> None:
        if self.library.away:
            return
        try:
            self.run(self.replicas[replica].add(new_voice(voice_id, f"name {number}", size=10)))
        except VoiceExists:
            assert self.current(voice_id) is not None
        else:
            self.became(voice_id, f"name {number}")

    @rule(replica=st.sampled_from(REPLICAS), voice_id=st.sampled_from(IDS), number=st.integers(100, 199))
    def change(self, replica: int, voice_id: str, number: int) -> None:
        if self.library.held and not self.library.away:
            return  # it reads the voice at its end, which would be held back
        try:
            self.run(self.replicas[replica].change(voice_id, f"name {number}", VoiceCard()))
        except StoreUnavailable:
            assert self.library.away
        except VoiceNotFound:
            assert self.current(voice_id) is None
        else:
            self.became(voice_id, f"name {number}")

    @rule(replica=st.sampled_from(REPLICAS), voice_id=st.sampled_from(IDS))
    def remove(self, replica: int, voice_id: str) -> None:
        if self.library.away or self.current(voice_id) is None:
            return
        self.run(self.replicas[replica].remove(voice_id))
        self.became(voice_id, None)

    @rule(replica=st.sampled_from(REPLICAS), voice_id=st.sampled_from(IDS))
    def read(self, replica: int, voice_id: str) -> None:
        if self.library.held:
            began = self.clock.now
            self.away_while_reading |= self.library.away
            self.reading.append((began, voice_id, self.loop.create_task(self.name(replica, voice_id))))
            self.run(asyncio.sleep(0))
            return
        self.judge(self.clock.now, voice_id, self.run(self.name(replica, voice_id)))

    @precondition(lambda self: not self.library.held)
    @rule()
    def answers_are_held_back(self) -> None:
        self.library.held = asyncio.Event()

    @precondition(lambda self: self.library.held)
    @rule()
    def answers_come(self) -> None:
        assert self.library.held
        self.library.held.set()
        self.library.held = None
        for began, voice_id, task in self.reading:
            self.judge(began, voice_id, self.run(asyncio.wait_for(task, 10)))
        self.reading.clear()
        self.away_while_reading = False

    @rule(seconds=st.sampled_from([0.1, 0.4, 0.6, 4.0, 6.0, 7200.0]))
    def time_passes(self, seconds: float) -> None:
        # a library that holds its answers back for longer is not there
        self.clock.now += min(seconds, 0.1) if self.library.held else seconds
        self.run(asyncio.sleep(0))

    @rule()
    def redis_goes(self) -> None:
        if self.hub.down_at is None:
            self.hub.down()

    @rule()
    def redis_comes_back(self) -> None:
        if self.hub.down_at is not None:
            self.hub.up()

    @rule()
    def library_goes(self) -> None:
        self.library.away = True
        self.away_while_reading = bool(self.reading)

    @rule()
    def library_comes_back(self) -> None:
        self.library.away = False
        # it is asked whether it is back a quarter of a second apart; here at once
        for _ in range(20):
            self.run(asyncio.sleep(0))

    @invariant()
    def memory_is_bounded(self) -> None:
        for replica in getattr(self, "replicas", ()):
            assert 0 <= replica._kept.bytes <= RULES.memory_bytes

    def teardown(self) -> None:
        if self.library.held:
            self.answers_come()
        for replica in getattr(self, "replicas", ()):
            self.run(replica.close())
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(work)

    async def name(self, replica: int, voice_id: str) -> str | None:
        """None where there is none; "away" where nobody can tell."""
        try:
            return (await self.replicas[replica].get(voice_id)).name
        except VoiceNotFound:
            return None
        except StoreUnavailable:
            return "away"

    def judge(self, began: float, voice_id: str, found: str | None) -> None:
        away = self.library.away or self.away_while_reading
        if found == "away":
            assert away
            return
        ever = self.history[voice_id]
        if away:
            assert found in [name for _, name in ever]
            return
        ends = [since for since, _ in ever[1:]] + [float("inf")]
        lately = [name for (_, name), end in zip(ever, ends, strict=True) if end >= began - STALE_SECONDS]
        assert found in lately, f"{found} of {ever} at {began}"

    def current(self, voice_id: str) -> str | None:
        return self.history[voice_id][-1][1]

    def became(self, voice_id: str, name: str | None) -> None:
        self.history[voice_id].append((self.clock.now, name))


TestReplicas = Replicas.TestCase
TestReplicas.settings = settings(
    max_examples=int(os.environ.get("JUNE_ROUNDS", "30")),
    stateful_step_count=40,
    deadline=None,
    # steps of a failure are told as they were: making them fewer takes minutes
    phases=(Phase.reuse, Phase.generate),
)
