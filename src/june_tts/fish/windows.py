"""How far streams may run ahead of their readers. No torch."""

from collections import Counter
from collections.abc import Callable


class Windows:
    """Counts what was sent and not yet taken; a stream whose window is full is parked until some is taken.

    Parked it makes no frames and keeps its slot. Memory on both ends is bounded by the window and one chunk.
    """

    def __init__(self, frames: int, park: Callable[[str, bool], object]) -> None:
        self._frames = frames
        self._park = park
        self._untaken: Counter[str] = Counter()

    def sent(self, request_id: str, frames: int) -> None:
        self._untaken[request_id] += frames
        if self._untaken[request_id] >= self._frames:
            self._park(request_id, True)

    def took(self, request_id: str, frames: int) -> None:
        """Of a request that is over it means nothing."""
        if request_id not in self._untaken:
            return
        full = self._untaken[request_id] >= self._frames
        self._untaken[request_id] -= frames
        if full and self._untaken[request_id] < self._frames:
            self._park(request_id, False)

    def forget(self, request_id: str) -> None:
        self._untaken.pop(request_id, None)
