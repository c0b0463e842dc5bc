"""One load for however many ask at once. It belongs to the cache, so that who began it may leave."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from june_tts.errors import StoreUnavailable

Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class Flight(Generic[Result]):
    """A load under way."""

    began: float
    """By the cache's clock: what it finds was true then or later."""
    wanted: bool = True
    """False once what it loads has changed meanwhile: its result must not be kept."""
    task: asyncio.Task[Result] = field(init=False)

    async def result(self, within: float | None = None) -> Result:
        """Raises: what the load raises; TimeoutError after `within` seconds, which does not end it."""
        return await finished(self.task, within)


async def finished(task: asyncio.Task[Result], within: float | None = None) -> Result:
    """What a task returns or raises. Cancelling the caller leaves it running.

    Raises:
        TimeoutError: it takes longer.
        StoreUnavailable: it was cancelled, as the cache closes.
    """
    await asyncio.wait([task], timeout=within)
    if not task.done():
        raise TimeoutError
    if task.cancelled():
        raise StoreUnavailable("the server is stopping")
    return task.result()


class Flights:
    """For one event loop. `close` it after the last call."""

    def __init__(self, clock: Callable[[], float], joined: Callable[[], None] = lambda: None) -> None:
        """`joined`: told of each call that found a load under way."""
        self._clock = clock
        self._joined = joined
        self._flying: dict[Hashable, tuple[Hashable, Flight[Any]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def join(
        self, group: Hashable, key: Hashable, load: Callable[[Flight[Result]], Coroutine[Any, Any, Result]]
    ) -> Flight[Result]:
        """The load of this key that is under way, or a new one."""
        if (found := self._flying.get(key)) is not None:
            self._joined()
            return found[1]
        flight: Flight[Result] = Flight(self._clock())
        self._flying[key] = (group, flight)
        flight.task = self.own(load(flight))
        flight.task.add_done_callback(lambda _: self._landed(key, flight))
        return flight

    def own(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Work that goes on when whoever asked for it has left; its failure is that of those who wait."""
        if self._closed:
            work.close()
            raise StoreUnavailable("the server is stopping")
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def disown(self, group: Hashable) -> None:
        """What is under way for this group is no longer true: nobody joins it, and it is not kept."""
        for key, (its_group, flight) in list(self._flying.items()):
            if its_group == group:
                flight.wanted = False
                del self._flying[key]

    async def close(self, seconds: float) -> None:
        """Whatever is under way has this long to end."""
        self._closed = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _landed(self, key: Hashable, flight: Flight[Any]) -> None:
        if key in self._flying and self._flying[key][1] is flight:
            del self._flying[key]

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # counts as seen, for all who waited may have left
