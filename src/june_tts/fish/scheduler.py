"""Who gets a slot, and what the next step computes. No torch, no clock, no model: it only decides."""

from collections import deque
from dataclasses import dataclass

from june_tts.errors import Overloaded
from june_tts.fish.kv_pool import KVPool
from june_tts.fish.prefixes import Prefixes
from june_tts.fish.sequence import Chunk
from june_tts.fish.stream import Stream


@dataclass(frozen=True, slots=True)
class Plan:
    """One step."""

    chunks: list[Chunk]
    prefills: list[Stream]
    """Whose chunks they are."""
    decodes: list[Stream]

    @property
    def streams(self) -> list[Stream]:
        return self.prefills + self.decodes

    @property
    def makers(self) -> list[Stream]:
        """Those that get a column, in the order of the runner's answer."""
        return [s for s, chunk in zip(self.prefills, self.chunks, strict=True) if chunk.last] + self.decodes

    @property
    def prefill_columns(self) -> int:
        return sum(chunk.columns.shape[1] for chunk in self.chunks)

    @property
    def decode_slots(self) -> list[int]:
        return [stream.slot for stream in self.decodes if stream.slot is not None]


class Scheduler:
    """Requests wait in order and are admitted while slots are free. A stream keeps its slot until it ends:
    one that is not in a step rests in it and loses nothing."""

    def __init__(
        self, *, slots: int, max_batch: int, max_waiting: int, prefill_chunk: int, prefixes: Prefixes
    ) -> None:
        self.pool = KVPool(slots)
        self.waiting: deque[Stream] = deque()
        self.running: list[Stream] = []
        """In the order of admission."""
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._prefill_chunk = prefill_chunk
        self._prefixes = prefixes
        self._making: dict[bytes, Stream] = {}
        """Who computes a prefix that others of the same voice wait for."""

    def submit(self, stream: Stream) -> None:
        """Raises: Overloaded."""
        if len(self.waiting) >= self._max_waiting + self.pool.free:
            raise Overloaded(f"all {self.pool.count} slots are taken and {len(self.waiting)} requests wait")
        self.waiting.append(stream)

    def can_admit(self) -> bool:
        return bool(self.waiting) and self.pool.can_take()

    def admit(self, now: float) -> Stream:
        """Give the first in line a slot. Only after `can_admit`."""
        stream = self.waiting.popleft()
        stream.slot = self.pool.take()
        stream.admitted_at = stream.stepped_at = now
        self.running.append(stream)
        return stream

    def end(self, stream: Stream) -> None:
        """It waits and runs no more; its slot is free. Harmless if that is so already."""
        if stream.slot is not None:
            self.pool.give_back(stream.slot)
            stream.slot = None
            self.running.remove(stream)
            self._no_longer_making(stream)
        elif stream in self.waiting:
            self.waiting.remove(stream)

    def can_plan(self) -> bool:
        """Whether any stream has something to compute."""
        return any(stream.prefilling or not stream.parked for stream in self.running)

    def plan(self, now: float) -> Plan:
        """The most urgent streams, `max_batch` at most, and of their prompts one chunk's columns at most."""
        plan = Plan([], [], [])
        columns_left = self._prefill_chunk
        for stream in sorted(self.running, key=lambda s: s.deadline(now)):
            if len(plan.prefills) + len(plan.decodes) == self._max_batch:
                break
            if stream.prefilling:
                columns_left -= self._plan_chunk(plan, stream, columns_left)
            elif not stream.parked:
                plan.decodes.append(stream)
        return plan

    def ran(self, plan: Plan, now: float) -> list[Stream]:
        """The step was made. Returns the streams whose prefix is now complete and to be kept."""
        for stream, chunk in zip(plan.prefills, plan.chunks, strict=True):
            stream.filled = chunk.start + chunk.columns.shape[1]
        for stream in plan.streams:
            stream.stepped_at = now
        complete = [s for s in plan.prefills if s.key is not None and s.filled == s.request.prefix]
        for stream in complete:
            self._no_longer_making(stream)
        return complete

    def _plan_chunk(self, plan: Plan, stream: Stream, columns_left: int) -> int:
        """Put the stream's next chunk into the plan, if it fits: it is never cut. Returns its columns."""
        start, end = stream.stretch(self._prefill_chunk)
        if stream.slot is None or end - start > columns_left or self._waits_for_prefix(stream):
            return 0
        if start == 0 and stream.key is not None:
            self._making[stream.key] = stream
            self._prefixes.misses += 1
        plan.chunks.append(stream.chunk(stream.slot, start, end))
        plan.prefills.append(stream)
        return end - start

    def _waits_for_prefix(self, stream: Stream) -> bool:
        """Another stream computes the same prefix, and is no less urgent."""
        if stream.filled or stream.key is None:
            return False
        maker = self._making.get(stream.key)
        return maker is not None and maker is not stream and maker.request.realtime >= stream.request.realtime

    def _no_longer_making(self, stream: Stream) -> None:
        if stream.key is not None and self._making.get(stream.key) is stream:
            del self._making[stream.key]
