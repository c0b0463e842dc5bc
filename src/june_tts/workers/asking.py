"""A web worker's questions to the supervisor, which asks all processes."""

import asyncio
import itertools
from typing import Any

from june_tts.errors import Overloaded
from june_tts.http.everyone import Process, Told, added
from june_tts.workers.control import Control, Line
from june_tts.workers.counts import grown, merged

PATIENCE_SECONDS = 5.0


class Asking:
    """`http.everyone.Everyone` over the control socket."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[list[dict[str, Any]]]] = {}

    def answer(self, line: Line) -> None:
        """What the supervisor said."""
        future = self._asked.get(line.get("number", 0))
        if future is not None and not future.done():
            future.set_result(line["value"])

    async def told(self) -> Told:
        number = next(self._numbers)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        self._control.tell("everyone", number=number)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return _told(await future)
        except TimeoutError:
            raise Overloaded(
                "the other processes of this server could not be asked", retry_after=PATIENCE_SECONDS
            ) from None
        finally:
            del self._asked[number]


def _told(processes: list[dict[str, Any]]) -> Told:
    counted = {one["name"]: one["counts"] for one in processes if one["counts"]}
    departed = [one["departed"] for one in processes if one["departed"]]
    families = merged(
        {name: counts["families"] for name, counts in counted.items()},
        grown(counts["families"] for counts in departed),
    )
    totals = added([counts.get("totals", {}) for counts in (*counted.values(), *departed)])
    known = ("name", "pid", "ready", "since", "restarts")
    return Told([Process(**{name: one[name] for name in known}) for one in processes], totals, families)
