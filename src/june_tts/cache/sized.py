"""What was used last, within a number of bytes and a time. Pure: the clock is given."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(slots=True)
class _Kept(Generic[Value]):
    value: Value
    size: int
    group: Hashable
    used_at: float


class Sized(Generic[Value]):
    """At most `capacity` bytes: the least recently used goes first. What rests too long goes, too."""

    def __init__(
        self,
        capacity: int,
        idle_seconds: float,
        clock: Callable[[], float],
        evicted: Callable[[], None] = lambda: None,
    ) -> None:
        """`evicted`: told of each value that goes for want of room, or of use."""
        self._capacity = capacity
        self._idle_seconds = idle_seconds
        self._clock = clock
        self._evicted = evicted
        self._kept: OrderedDict[Hashable, _Kept[Value]] = OrderedDict()
        self._groups: dict[Hashable, set[Hashable]] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> Value | None:
        self._sweep()
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        kept.used_at = self._clock()
        return kept.value

    def put(self, key: Hashable, value: Value, size: int, group: Hashable) -> None:
        """In place of what was there. What is larger than a quarter of all room is not kept: it would cost
        everything else its place."""
        self.drop(key)
        self._sweep()
        if size > self._capacity // 4:
            return
        while self.bytes + size > self._capacity:
            self._evict()
        self._kept[key] = _Kept(value, size, group, self._clock())
        self._groups.setdefault(group, set()).add(key)
        self.bytes += size

    def drop(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        self.bytes -= kept.size
        self._groups[kept.group].discard(key)
        if not self._groups[kept.group]:
            del self._groups[kept.group]

    def drop_group(self, group: Hashable) -> None:
        for key in tuple(self._groups.get(group, ())):
            self.drop(key)

    def clear(self) -> None:
        self._kept.clear()
        self._groups.clear()
        self.bytes = 0

    def _sweep(self) -> None:
        """The order is that of use, so the idle ones are in front."""
        before = self._clock() - self._idle_seconds
        while self._kept and next(iter(self._kept.values())).used_at <= before:
            self._evict()

    def _evict(self) -> None:
        self.drop(next(iter(self._kept)))
        self._evicted()
