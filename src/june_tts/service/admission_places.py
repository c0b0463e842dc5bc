"""A bounded number of sockets at once; one more is refused rather than queued."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from june_tts.errors import Overloaded

RETRY_AFTER_SECONDS = 1.0


class Places:
    def __init__(self, most: int, what: str) -> None:
        """`what` there are so many places for, for the message."""
        self._max = most
        self._what = what
        self.active = 0
        self.draining_since: float | None = None
        """`time.monotonic()` of the beginning of the end."""

    def change(self, most: int) -> None:
        """Another limit from now on; who has a place keeps it."""
        self._max = most

    @property
    def draining(self) -> bool:
        """Set on shutdown: what plays may finish, nothing new is admitted."""
        return self.draining_since is not None

    @draining.setter
    def draining(self, value: bool) -> None:
        self.draining_since = time.monotonic() if value else None

    def place(self) -> AbstractContextManager[None]:
        """Take a place now, and give it back on leaving the context that is returned.

        Raises:
            Overloaded: every place is taken, or the server is stopping.
        """
        if self.draining:
            raise stopping()
        if self.active >= self._max:
            raise Overloaded(
                f"all {self._max} {self._what} are taken: try again in a moment",
                retry_after=RETRY_AFTER_SECONDS,
            )
        self.active += 1
        return self._held()

    @contextmanager
    def _held(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.active -= 1


def stopping() -> Overloaded:
    """What a server answers that is on its way out."""
    return Overloaded("this server is stopping: try another one", retry_after=RETRY_AFTER_SECONDS)
