"""What one admitted stream costs its caller."""

from collections.abc import Callable
from types import TracebackType

from june_tts.errors import DeadlineMissed, NothingToSpeak, Overloaded
from june_tts.service.account import Account

REFUSALS = (Overloaded, DeadlineMissed, NothingToSpeak)
"""What ends an admitted request that gave nothing to hear: its charge is given back."""


class AccountCharge:
    """A `metering.Charge`."""

    def __init__(
        self, account: Account, requests: int, characters: int, leave: Callable[[Account], None]
    ) -> None:
        """`leave`: called once, when the stream is over."""
        self._account = account
        self._leave = leave
        self._requests = requests
        self._characters = characters
        self._silent = True

    def __enter__(self) -> "AccountCharge":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._leave(self._account)
        if self._silent and isinstance(error, REFUSALS):
            self._account.charge("requests", -self._requests)
            self._account.charge("characters", -self._characters)
            self._account.requests -= self._requests
            self._account.characters -= self._characters

    def spoke(self, seconds: float) -> None:
        self._silent = False
        self._account.charge("audio_seconds", seconds)
        self._account.audio_seconds += seconds

    def wrote(self, characters: int) -> None:
        self._account.charge("characters", characters)
        self._account.characters += characters
