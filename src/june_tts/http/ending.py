"""The end of what a stopping server can wait for no longer: live turns are told of it, and end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Ending:
    """One for a server. `end` is called once; every turn that is open then, or opens later, times out."""

    def __init__(self) -> None:
        self.come = False
        self._open: set[asyncio.Timeout] = set()

    @property
    def open(self) -> int:
        """Turns that have begun and not ended."""
        return len(self._open)

    @contextmanager
    def during(self, limit: asyncio.Timeout) -> Iterator[None]:
        """A turn, and the timeout that it has anyway. For code within that timeout."""
        if self.come:
            limit.reschedule(0.0)
        self._open.add(limit)
        try:
            yield
        finally:
            self._open.discard(limit)

    def end(self) -> None:
        self.come = True
        for limit in self._open:
            if not limit.expired():
                limit.reschedule(0.0)
