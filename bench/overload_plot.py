"""The picture of `overload.py`. Needs matplotlib, which the extra `bench` brings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from matplotlib.figure import Figure

from june_tts.load import Outcome


class Offered(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def rate(self) -> float: ...

    @property
    def goodput(self) -> float: ...


def draw(phases: Sequence[Offered], outcomes: Mapping[str, Sequence[Outcome]], path: Path) -> None:
    """Write a PNG: goodput by rate, first audio at both rates, and first audio and refusals over time."""
    figure = Figure(figsize=(14, 4.2), layout="constrained")
    goodput, first, time = figure.subplots(1, 3)
    opened = sorted((phase for phase in phases if phase.rate), key=lambda phase: phase.rate)
    goodput.plot([p.rate for p in opened], [p.goodput for p in opened], "o-")
    goodput.set(xlabel="requests offered a second", ylabel="audio seconds a second, whole answers", ylim=0)
    for phase in phases[-2:]:
        times = sorted(o.ttfa for o in outcomes[phase.name] if o.error is None and o.ttfa is not None)
        first.ecdf(times, label=f"{phase.name}: {phase.rate:.1f}/s")
    first.set(xlabel="time to first audio of admitted requests, s", ylabel="share", xlim=0)
    first.legend()
    _over_time(time, outcomes[phases[-1].name])
    for axes in (goodput, first, time):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def _over_time(axes: object, outcomes: Sequence[Outcome]) -> None:
    begun = min(o.begun for o in outcomes)
    heard = [(o.begun - begun, o.ttfa) for o in outcomes if o.error is None and o.ttfa is not None]
    refused = [(o.begun - begun, o.total) for o in outcomes if o.error is not None]
    axes.plot(*zip(*heard, strict=True), ".", ms=2, label="first audio")  # type: ignore[attr-defined]
    if refused:
        axes.plot(*zip(*refused, strict=True), ".", ms=2, label="refused")  # type: ignore[attr-defined]
    axes.set(xlabel="s into three times the rate", ylabel="s until answered", yscale="log")  # type: ignore[attr-defined]
    axes.legend()  # type: ignore[attr-defined]
