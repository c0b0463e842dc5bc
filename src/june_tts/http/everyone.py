"""What all processes of the server have counted, where there are several: any of them can be asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from june_tts.service.health import Trouble
from june_tts.telemetry.recorder import Totals


@dataclass(frozen=True, slots=True)
class Process:
    name: str
    """`engines`, or the number of a web worker."""
    pid: int | None
    ready: bool
    since: float
    """When it became ready or stopped being so, seconds since 1970."""
    restarts: int


@dataclass(frozen=True, slots=True)
class Told:
    processes: Sequence[Process]
    totals: Totals
    """Of all, those that have ended included."""
    families: Sequence[Mapping[str, Any]] = field(default=())
    """As `telemetry.metrics.merged` takes them."""

    def troubles(self) -> list[Trouble]:
        """A process that is away: others serve on, so none of them blocks."""
        return [
            Trouble(f"process {one.name}", "restarting", one.since, blocks=False)
            for one in self.processes
            if not one.ready
        ]


class Everyone(Protocol):
    async def told(self) -> Told:
        """Ask all. Raises: Overloaded, where the supervisor does not answer."""
        ...


def added(parts: Sequence[Mapping[str, float]]) -> Totals:
    """Totals of several processes as one."""
    names = [one.name for one in fields(Totals)]
    return Totals(**{name: sum(part.get(name, 0) for part in parts) for name in names})  # type: ignore[arg-type]  # counts stay whole
