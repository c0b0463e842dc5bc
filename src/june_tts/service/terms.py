"""On what terms a request is served: for whom, how urgent, until when. Set by whoever takes it in.

They travel in a context variable, as the request id does in the log: what is between a route and the queue
need not hand them on, and a task that is started for a request has those of its request.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, get_args

Priority = Literal["interactive", "normal", "batch"]
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
"""The most urgent first."""


@dataclass(frozen=True, slots=True)
class Terms:
    caller: str = ""
    """Whose request it is, for fairness: the id of an API key; empty where that is not known."""
    priority: Priority = "interactive"
    deadline: float | None = None
    """`time.monotonic()` seconds by which its first audio must have come; None: whenever it can."""
    patient: bool = False
    """Who asks would rather wait, as long as a `normal` request may, than be told to come back."""


_CURRENT: ContextVar[Terms] = ContextVar("terms")
_USUAL = Terms()


def current_terms() -> Terms:
    """Of the request that this runs for; the usual ones where nobody set any."""
    return _CURRENT.get(_USUAL)


@contextmanager
def terms(given: Terms) -> Iterator[None]:
    """What runs within, and the tasks that it starts, is served on these terms."""
    token = _CURRENT.set(given)
    try:
        yield
    finally:
        _CURRENT.reset(token)
