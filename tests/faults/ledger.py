"""What each fault was and what it cost: a line of the table that a run ends with."""

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "0"))
"""How often each fault is played; 0: as often as the test thinks is enough for every day."""


@dataclass
class Line:
    """Requests, and seconds."""

    fault: str
    rounds: int = 0
    offered: int = 0
    answered: int = 0
    refused: int = 0
    """With 503 and when to try again."""
    failed: int = 0
    """Streams that broke with a clear end, when what made them went away."""
    lost: int = 0
    """Acknowledged and not there afterwards, or answered in no known way. Must be 0."""
    slowest_refusal_s: float = 0.0
    recovered_s: float = 0.0
    """Until the first request of the kind it had hit was served: from the end of the fault, or from its
    beginning where the server has to mend it itself. The slowest."""
    rss_grown_mb: float = 0.0
    passed: bool = False
    """Its test came to its end, and well."""
    notes: dict[str, float] = field(default_factory=dict)
    refusals: list[float] = field(default_factory=list, repr=False)
    """Seconds of each."""

    def recovered(self, seconds: float) -> None:
        self.recovered_s = max(self.recovered_s, seconds)

    def refusal(self, seconds: float) -> None:
        self.refused += 1
        self.refusals.append(seconds)
        self.slowest_refusal_s = max(self.slowest_refusal_s, seconds)

    def add(self, other: "Line") -> None:
        """What another line has, to this one."""
        for name in ("rounds", "offered", "answered", "refused", "failed", "lost"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.refusals += other.refusals
        self.slowest_refusal_s = max(self.slowest_refusal_s, other.slowest_refusal_s)

    def told(self) -> dict[str, object]:
        """Its figures; of the refusals the median."""
        found = asdict(self)
        refusals = sorted(found.pop("refusals"))
        found["median_refusal_s"] = refusals[len(refusals) // 2] if refusals else 0.0
        return found


class Ledger:
    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._settled = 0

    def line(self, fault: str) -> Line:
        self.lines.append(Line(fault))
        return self.lines[-1]

    def settle(self, passed: bool) -> None:
        """A test has ended: what it added is final."""
        for line in self.lines[self._settled :]:
            line.passed = passed
        self._settled = len(self.lines)

    def table(self) -> list[str]:
        """A heading and a row for each fault."""
        names = [f.name for f in fields(Line) if f.name not in ("fault", "notes", "refusals")]
        told = [line.told() for line in self.lines]
        rows = [["fault", *names], *([_shown(line[name]) for name in ("fault", *names)] for line in told)]
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]

    def write(self, path: Path) -> None:
        """In place of what is there; faults that were not played this time stay as they were."""
        before = json.loads(path.read_text())["faults"] if path.exists() else []
        found = {fault["fault"]: fault for fault in before} | {line.fault: line.told() for line in self.lines}
        path.write_text(json.dumps({"faults": [*found.values()]}, indent=1) + "\n")


def _shown(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
