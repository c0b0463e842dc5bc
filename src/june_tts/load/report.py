"""The figures as a table for people and as JSON for machines."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table

from june_tts.load.outcome import Outcome
from june_tts.load.summary import Result, Spread
from june_tts.load.target import Target

_COLUMNS = (
    *("chars", "load", "ok", "first audio, ms\np50/p95/p99/max", "gaps, ms\np50/p95/max"),
    *("underruns", "RTF", "audio\ns/s", "req/s"),
)


def title(target: Target) -> str:
    return f"{target.endpoint} ({target.wire_format})"


def table(results: Sequence[Result], target: Target) -> Table:
    """One row a point, narrow enough for 80 columns."""
    found = Table(
        title=title(target), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False
    )
    for name in _COLUMNS:
        found.add_column(name, justify="right", overflow="fold")
    for result in results:
        found.add_row(*_row(result))
    return found


def problems(results: Iterable[Result]) -> list[str]:
    """A line for each kind of failure at each point, with what the first one said."""
    found = []
    for result in results:
        summary = result.summary
        for kind, count in summary.errors.items():
            where = f"{result.point.chars} chars, {result.point.load_name}"
            found.append(f"{where}: {count} x {kind}: {summary.details[kind]}".rstrip(": "))
    return found


def document(results: Sequence[Result], target: Target, settings: dict[str, Any]) -> dict[str, Any]:
    """Everything measured, every request included. Holds no text that was spoken and no key."""
    return {
        "target": {
            "url": target.endpoint,
            "api": target.api,
            "voice": target.voice,
            "model": target.model,
            "format": target.wire_format,
        },
        "settings": settings,
        "points": [_point(result) for result in results],
    }


def _point(result: Result) -> dict[str, Any]:
    summary = result.summary
    share = result.client_cpu_seconds / summary.audio_seconds if summary.audio_seconds else None
    return {
        **asdict(result.point),
        **asdict(summary),
        "client_cpu_seconds": result.client_cpu_seconds,
        "client_cpu_per_audio_second": share,
        "outcomes": [_request(outcome) for outcome in sorted(result.outcomes, key=lambda o: o.begun)],
    }


def _request(outcome: Outcome) -> dict[str, Any]:
    return {**asdict(outcome), "total": outcome.total, "rtf": outcome.rtf}


def _row(result: Result) -> tuple[str, ...]:
    point, summary = result.point, result.summary
    return (
        str(point.chars),
        f"c={point.concurrency}" if point.rate is None else point.load_name,
        f"{summary.succeeded}/{summary.requests}",
        _ms(summary.ttfa, "p50", "p95", "p99", "max"),
        _ms(summary.gaps, "p50", "p95", "max"),
        f"{summary.underruns}, {summary.dry_seconds:.1f} s" if summary.underruns else "0",
        "-" if summary.rtf is None else f"{summary.rtf.p50:.3f}",
        f"{summary.audio_per_second:.1f}",
        f"{summary.requests_per_second:.2f}",
    )


def _ms(spread: Spread | None, *names: str) -> str:
    return "-" if spread is None else "/".join(f"{getattr(spread, name) * 1000:.0f}" for name in names)
