"""The kept KV of voices: a prompt's beginning that many requests share is computed once."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from june_tts.fish.sequence import Columns, PrefixKV


def prefix_key(columns: Columns) -> bytes:
    """A name for these columns, equal for equal columns alone (BLAKE2b, 32 bytes)."""
    digest = hashlib.blake2b(repr(columns.shape).encode(), digest_size=32)
    digest.update(columns.astype("<i4").tobytes())
    return digest.digest()


@dataclass(slots=True)
class _Kept:
    kv: PrefixKV
    leases: int = 0


class Prefixes:
    """At most `capacity` bytes of prefixes, the least recently used thrown out first."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.bytes = 0
        self.hits = 0
        """Requests whose prefix was copied from here."""
        self.misses = 0
        """Requests that had to compute theirs."""
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: bytes) -> bool:
        return key in self._kept

    @contextmanager
    def lease(self, key: bytes) -> Iterator[PrefixKV]:
        """A kept prefix, which is not thrown out while the block runs. Raises: KeyError."""
        kept = self._kept[key]
        self._kept.move_to_end(key)
        kept.leases += 1
        try:
            yield kept.kv
        finally:
            kept.leases -= 1

    def put(self, key: bytes, kv: PrefixKV) -> bool:
        """Keep it, if there is room or others can go. Returns whether it is kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return True
        if not self._make_room(kv.bytes):
            return False
        self._kept[key] = _Kept(kv)
        self.bytes += kv.bytes
        return True

    def drop(self, key: bytes) -> None:
        """Forget one, if it is there: copying it has failed."""
        if (kept := self._kept.pop(key, None)) is not None:
            self.bytes -= kept.kv.bytes

    def _make_room(self, needed: int) -> bool:
        """Throws out nothing unless that makes room enough."""
        idle = [key for key, kept in self._kept.items() if not kept.leases]
        if needed > self.capacity - self.bytes + sum(self._kept[key].kv.bytes for key in idle):
            return False
        for key in idle:
            if self.bytes + needed <= self.capacity:
                break
            self.drop(key)
        return True
