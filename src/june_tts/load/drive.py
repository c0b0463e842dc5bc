"""Closed loop: so many at a time. Open loop: arrivals that wait for nobody."""

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from june_tts.load.client import Client
from june_tts.load.outcome import Outcome

Arrivals = Literal["poisson", "constant"]


@dataclass(frozen=True, slots=True)
class Point:
    """One row of the report. Exactly one of `concurrency` and `rate` is set."""

    chars: int
    concurrency: int | None = None
    """Requests always in flight."""
    rate: float | None = None
    """Requests per second that arrive whether or not earlier ones are done."""

    @property
    def load_name(self) -> str:
        return f"{self.concurrency} at once" if self.rate is None else f"{self.rate:g}/s"


@dataclass(frozen=True, slots=True)
class Plan:
    """How long a point lasts: for `requests` requests or `duration` seconds, whichever ends first."""

    requests: int | None = 24
    duration: float | None = None
    arrivals: Arrivals = "poisson"
    seed: int = 0
    max_in_flight: int = 2000
    """Of an open loop: a stuck server must not take the client's memory and sockets as well."""
    pause: float = 0.0
    """Seconds after which one of a closed loop that was refused, or failed, asks again."""


NextText = Callable[[int], str]
Record = Callable[[Outcome], None]


async def run_point(client: Client, point: Point, plan: Plan, text: NextText, record: Record) -> None:
    """Send the load of one point and record every outcome as it comes.

    Cancelling stops at once; what is in flight then is not recorded. Latency of an open loop counts from
    the moment a request was due, so a server that stalls is charged for everybody who waits meanwhile.
    """
    if point.rate is None:
        await _closed(client, point, plan, text, record)
    else:
        await _open(client, point, point.rate, plan, text, record)


async def _closed(client: Client, point: Point, plan: Plan, text: NextText, record: Record) -> None:
    end = None if plan.duration is None else client.clock() + plan.duration
    sent = 0

    async def worker() -> None:
        nonlocal sent
        while (plan.requests is None or sent < plan.requests) and (end is None or client.clock() < end):
            sent += 1
            outcome = await client.speak(text(point.chars))
            record(outcome)
            if outcome.error is not None and plan.pause:
                await asyncio.sleep(plan.pause)

    async with asyncio.TaskGroup() as group:
        for _ in range(point.concurrency or 1):
            group.create_task(worker())


async def _open(
    client: Client, point: Point, rate: float, plan: Plan, text: NextText, record: Record
) -> None:
    begun = client.clock()
    flying: set[asyncio.Task[None]] = set()

    async def speak(words: str, due: float) -> None:
        record(await client.speak(words, due))

    async with asyncio.TaskGroup() as group:
        for offset in arrival_times(rate, plan):
            words, due = text(point.chars), begun + offset
            await asyncio.sleep(max(0.0, due - client.clock()))
            if len(flying) >= plan.max_in_flight:
                record(_unsent(words, due, client.clock(), plan.max_in_flight))
                continue
            task = group.create_task(speak(words, due))
            flying.add(task)
            task.add_done_callback(flying.discard)


def arrival_times(rate: float, plan: Plan) -> Iterator[float]:
    """Seconds from the start of the point at which requests are due, the first at once."""
    rng = random.Random(plan.seed)
    at, count = 0.0, 0
    while (plan.requests is None or count < plan.requests) and (plan.duration is None or at < plan.duration):
        yield at
        count += 1
        # a constant rate is multiplied, not summed, so that rounding does not drift
        at = count / rate if plan.arrivals == "constant" else at + rng.expovariate(rate)


def _unsent(words: str, due: float, now: float, limit: int) -> Outcome:
    detail = f"{limit} requests were still in flight"
    return Outcome(len(words), due, now, now - due, "not sent", detail, None, 0.0, (), 0, 0.0)
