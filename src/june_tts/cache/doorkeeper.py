"""Remembers what has been asked for before, in a few bits for each. No I/O, no clock."""

_BITS_PER_KEY = 16
_PROBES = 4
"""With 16 bits a key, 2 in 1,000 strangers are taken for somebody seen before, and kept for nothing."""


class Doorkeeper:
    """Two Bloom filters: the older one is forgotten when the newer has taken its share of keys.

    So what was seen within the last `most` other keys is known, and what is older than twice that is not.
    """

    def __init__(self, most: int = 65_536) -> None:
        """`most`: keys in one filter, at 2 bytes each."""
        self._most = most
        self._bits = most * _BITS_PER_KEY
        self._new = bytearray(self._bits // 8)
        self._old = bytearray(self._bits // 8)
        self._count = 0

    def seen(self, key: bytes) -> bool:
        """Whether a key, a digest of 32 bytes, was seen before; from now on it was."""
        places = self._places(key)
        if _has(self._new, places):
            return True
        known = _has(self._old, places)
        if self._count == self._most:
            self._old, self._new, self._count = self._new, bytearray(self._bits // 8), 0
        for place in places:
            self._new[place >> 3] |= 1 << (place & 7)
        self._count += 1
        return known

    def knows(self, key: bytes) -> bool:
        """Whether a key was seen before. Asking changes nothing."""
        places = self._places(key)
        return _has(self._new, places) or _has(self._old, places)

    def _places(self, key: bytes) -> list[int]:
        return [int.from_bytes(key[at : at + 8], "little") % self._bits for at in range(0, 8 * _PROBES, 8)]


def _has(filled: bytearray, places: list[int]) -> bool:
    return all(filled[place >> 3] & (1 << (place & 7)) for place in places)
