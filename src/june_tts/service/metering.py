"""What a request is charged by: asked before any work, told of what came of it."""

from types import TracebackType
from typing import Protocol


class Charge(Protocol):
    """One stream that was admitted. Leaving its context frees the stream's place; what was charged for a
    request that then found the server full is given back."""

    def __enter__(self) -> "Charge": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def spoke(self, seconds: float) -> None:
        """So much more audio was made."""
        ...

    def wrote(self, characters: int) -> None:
        """So much more text came, beside what it was admitted with."""
        ...


class Meter(Protocol):
    async def admit(self, characters: int) -> Charge:
        """Let the caller of these terms speak so many characters; 0 where they are still to be written.

        Raises:
            RateLimited: a rate or a quota is used up, or it has as many streams as it may.
            Unauthorized: its key was revoked since.
        """
        ...


class Unmetered:
    """A Meter that charges nothing."""

    async def admit(self, characters: int) -> Charge:
        return _NOTHING


class _Nothing:
    def __enter__(self) -> Charge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        return

    def spoke(self, seconds: float) -> None:
        return

    def wrote(self, characters: int) -> None:
        return


_NOTHING = _Nothing()
