"""A bounded number of sockets at once; one more is refused rather than queued."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from june_tts.errors import Overloaded

RETRY_AFTER_SECONDS = 1.0
SILENT_SECONDS = 5.0
"""Who has said nothing for so long since it came may have to make room for another one."""


class Held:
    """A place that is held."""

    def __init__(self, silent: "dict[Held, Callable[[], None]]") -> None:
        self.since = time.monotonic()
        self.given_away = False
        self._silent = silent

    def silent(self, leave: Callable[[], None]) -> None:
        """Its holder has said nothing yet; `leave` sends it away."""
        self._silent[self] = leave

    def heard(self) -> None:
        """It has: from now on the place is its own."""
        self._silent.pop(self, None)


class Places:
    def __init__(self, most: int, what: str) -> None:
        """`what` there are so many places for, for the message."""
        self._max = most
        self._what = what
        self.active = 0
        self._silent: dict[Held, Callable[[], None]] = {}
        """The oldest first."""
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

    def place(self) -> AbstractContextManager[Held]:
        """Take a place now, and give it back on leaving the context that is returned.

        Where every place is taken, the oldest holder that has said nothing for a while has to go.

        Raises:
            Overloaded: every place is taken, or the server is stopping.
        """
        if self.draining:
            raise stopping()
        if self.active >= self._max and not self._make_room():
            raise Overloaded(
                f"all {self._max} {self._what} are taken: try again in a moment",
                retry_after=RETRY_AFTER_SECONDS,
            )
        self.active += 1
        return self._held()

    def _make_room(self) -> bool:
        oldest = next(iter(self._silent), None)
        if oldest is None or time.monotonic() - oldest.since < SILENT_SECONDS:
            return False
        leave = self._silent.pop(oldest)
        oldest.given_away = True
        self.active -= 1
        leave()
        return True

    @contextmanager
    def _held(self) -> Iterator[Held]:
        held = Held(self._silent)
        try:
            yield held
        finally:
            held.heard()
            if not held.given_away:
                self.active -= 1


def stopping() -> Overloaded:
    """What a server answers that is on its way out."""
    return Overloaded("this server is stopping: try another one", retry_after=RETRY_AFTER_SECONDS)
