"""Which KV slots are free. Plain ints; the slots themselves are the runner's."""

import heapq


class KVPool:
    """Slots 0 .. count - 1, the lowest free one given out first: a runner that computes rows 0 .. B - 1 then
    has few empty ones among them."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = list(range(count))  # ascending, so it is a heap already
        self._used: set[int] = set()

    @property
    def free(self) -> int:
        return len(self._free)

    @property
    def used(self) -> frozenset[int]:
        return frozenset(self._used)

    def can_take(self) -> bool:
        return bool(self._free)

    def take(self) -> int:
        """The lowest free slot. Only after `can_take`."""
        slot = heapq.heappop(self._free)
        self._used.add(slot)
        return slot

    def give_back(self, slot: int) -> None:
        """Raises: ValueError if the slot is not taken: given out twice, it would mix two voices."""
        if slot not in self._used:
            raise ValueError(f"slot {slot} is given back, but is not taken")
        self._used.remove(slot)
        heapq.heappush(self._free, slot)
