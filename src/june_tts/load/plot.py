"""The figures as a picture. Needs matplotlib, which the extra `bench` brings."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from june_tts.errors import NotConfigured
from june_tts.load.summary import Result


def require_matplotlib() -> None:
    """Say so before the load runs, not after. Raises: NotConfigured."""
    if importlib.util.find_spec("matplotlib") is None:
        raise NotConfigured("a plot needs matplotlib: pip install 'june-tts[bench]'", param="plot")


def draw(results: Sequence[Result], path: Path, title: str) -> None:
    """Write a PNG: how soon speech began, for which share of requests, and how much of it there was.

    Raises:
        NotConfigured: matplotlib is missing.
        OSError: the file cannot be written.
    """
    require_matplotlib()
    # seconds to import and an optional extra: only where a picture is wanted
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    first, audio = figure.subplots(1, 2, width_ratios=(3, 2))
    names = [f"{r.point.chars} chars, {r.point.load_name}" for r in results]
    for name, result in zip(names, results, strict=True):
        times = sorted(o.ttfa for o in result.outcomes if o.error is None and o.ttfa is not None)
        if times:
            first.ecdf(times, label=name)
    first.set(xlabel="time to first audio, s", ylabel="share of requests", xscale="log", ylim=(0, 1.02))
    first.grid(alpha=0.3, which="both")
    if first.has_data():
        first.legend(fontsize="small")
    audio.barh(names, [r.summary.audio_per_second for r in results])
    audio.invert_yaxis()
    audio.axvline(1, color="black", linewidth=0.8)
    audio.set(xlabel="audio seconds per second (line: real time)")
    figure.suptitle(title, fontsize="medium")
    figure.savefig(path, format="png", dpi=120)
