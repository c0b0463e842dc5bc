"""What a caller has left, in headers: the IETF's draft (`RateLimit`, `RateLimit-Policy`) and OpenAI's."""

import math
from collections.abc import Sequence
from functools import lru_cache

from june_tts.service.rates import State
from june_tts.types import Budget

NAMES = (
    *("RateLimit", "RateLimit-Policy", "Retry-After", "x-request-id", "x-trace-id", "X-June-Cache"),
    *(
        f"x-ratelimit-{what}-{kind}"
        for what in ("limit", "remaining", "reset")
        for kind in ("requests", "characters", "audio-seconds")
    ),
)
"""What a page of another origin may read of a reply."""

Headers = list[tuple[bytes, bytes]]


def rate_headers(states: Sequence[State]) -> Headers:
    """None where nothing bounds the caller."""
    if not states:
        return []
    left = ", ".join(
        f'"{state.budget.name}";r={math.floor(state.left)};t={math.ceil(state.reset)}' for state in states
    )
    headers = [
        (b"ratelimit-policy", _policies(tuple(state.budget for state in states))),
        (b"ratelimit", left.encode()),
    ]
    for state in states:
        if state.budget.window == "minute":
            headers += _as_openai(state)
    return headers


@lru_cache(maxsize=1024)
def _policies(budgets: tuple[Budget, ...]) -> bytes:
    """The same for every reply to callers with the same limits."""
    return ", ".join(f'"{budget.name}";q={budget.limit};w={budget.seconds}' for budget in budgets).encode()


def _as_openai(state: State) -> Headers:
    kind = state.budget.kind.replace("_", "-")
    values = {"limit": str(state.budget.limit), "remaining": str(math.floor(state.left))}
    values["reset"] = duration(state.reset)
    return [(f"x-ratelimit-{what}-{kind}".encode(), value.encode()) for what, value in values.items()]


def duration(seconds: float) -> str:
    """As OpenAI writes it: `12ms`, `1.5s`, `6m0s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    if seconds < 60:
        return f"{round(seconds, 3):g}s"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s"
