"""`june-tts bench`: measure any TTS server the way its listeners hear it."""

import asyncio
import json
import math
import os
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Self

import typer
from rich.console import Console
from rich.progress import Progress

from june_tts import load
from june_tts.errors import JuneError
from june_tts.load import plot as pictures
from june_tts.load import report

_MAX_POINT_REQUESTS = 100_000
_DEFAULT_REQUESTS = 24
_FILE_WIDTH = 110
_LONGEST_TEXT = 100_000
_MOST_AT_ONCE = 1000
_HIGHEST_RATE = 1000.0
_DEFAULT_DURATION = 30.0


def bench(
    url: Annotated[str, typer.Argument(metavar="URL", help="Address of the server, http://HOST:PORT.")],
    api: Annotated[load.Api, typer.Option(help="How the server is asked to speak.")] = "openai",
    voice: Annotated[
        str | None, typer.Option(help="Voice to ask for; OpenAI's default is alloy, else the server's.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model to ask for; OpenAI's default is tts-1.")] = None,
    concurrency: Annotated[
        str | None, typer.Option(metavar="N,…", help="Requests always in flight. Default 1.")
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(metavar="R,…", help="Instead: requests a second that arrive and wait for nobody."),
    ] = None,
    arrivals: Annotated[
        load.Arrivals | None, typer.Option(help="How --rate is spread over time. Default poisson.")
    ] = None,
    requests: Annotated[
        int | None,
        typer.Option(
            min=1, max=_MAX_POINT_REQUESTS, help="Requests of each point. Default 24, unless --duration."
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(min=0.1, max=86_400, help="Seconds of each point. Default 30 with --rate alone."),
    ] = None,
    chars: Annotated[str, typer.Option(metavar="N,…", help="Lengths of the texts.")] = "20,200,1000",
    same_text: Annotated[bool, typer.Option("--same-text", help="Repeat one text per length.")] = False,
    format: Annotated[
        load.Format | None, typer.Option(help="Audio to ask for. Default pcm for openai, else wav.")
    ] = None,
    pcm_rate: Annotated[
        int | None,
        typer.Option(min=4000, max=384_000, help="Hz of pcm. Default 24000 for openai, 44100 for fish."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Seconds after which a request counts as failed.")
    ] = 60.0,
    warmup: Annotated[
        int, typer.Option(min=0, max=1000, help="Requests before the first point that are not counted.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal texts and arrivals.")] = 0,
    api_key: Annotated[
        str | None, typer.Option(envvar="JUNE_API_KEY", help="Sent as a bearer token.")
    ] = None,
    json_to: Annotated[
        str | None, typer.Option("--json", metavar="PATH|-", help="Write every figure and request as JSON.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Draw a PNG (needs the extra `bench`).")
    ] = None,
) -> None:
    """Measure time to first audio, gaps, underruns and throughput of any TTS server.

    Every text is new unless --same-text is given. Each length is measured at each load in turn.

    The exit status is 1 when every request failed, 130 after ctrl-C; what was measured is shown either way.
    """
    points = _points(chars, concurrency, rate)
    if arrivals is not None and rate is None:
        raise typer.BadParameter("it spreads --rate, which is not given", param_hint="--arrivals")
    if requests is None and duration is None:
        requests, duration = (None, _DEFAULT_DURATION) if rate else (_DEFAULT_REQUESTS, None)
    plan = load.Plan(requests, duration, arrivals or "poisson", seed)
    _refuse_too_much(points, plan)
    if json_to not in (None, "-"):
        _refuse_unwritable(Path(str(json_to)), "--json")
    try:
        target = load.Target(url, api, voice, model, format, pcm_rate, api_key)
        if plot is not None:
            _refuse_unwritable(plot, "--plot")
            pictures.require_matplotlib()
    except JuneError as bad:
        raise typer.BadParameter(str(bad), param_hint=_hint(bad.param)) from None

    begun = datetime.now(UTC)
    results, interrupted = _measure(target, plan, points, load.Texts(seed, same=same_text), timeout, warmup)
    settings = {
        **{"version": metadata.version("june-tts"), "begun": begun.isoformat(timespec="seconds")},
        **{"requests": plan.requests, "duration": plan.duration, "timeout": timeout, "warmup": warmup},
        **{"arrivals": plan.arrivals if rate else None, "seed": seed, "same_text": same_text},
        "interrupted": interrupted,
    }
    _show(results, target, settings, json_to, plot)
    if interrupted:
        raise typer.Exit(130)
    if not any(result.summary.succeeded for result in results):
        raise typer.Exit(1)


def _measure(
    target: load.Target,
    plan: load.Plan,
    points: list[load.Point],
    texts: load.Texts,
    timeout: float,
    warmup: int,
) -> tuple[list[load.Result], bool]:
    """The results, and whether ctrl-C ended the run before its time."""
    results: list[load.Result] = []

    async def run() -> None:
        with _Bar(plan) as bar:
            async with load.Client(target, timeout=timeout) as client:
                await load.run_points(client, points, plan, texts, results, warmup=warmup, watcher=bar)

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        return results, True
    return results, False


class _Bar:
    """A progress bar on the error stream, gone when the run is over."""

    def __init__(self, plan: load.Plan) -> None:
        self._progress = Progress(console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("warming up", total=None)
        self._total = plan.requests

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def point(self, point: load.Point) -> None:
        name = f"{point.chars} chars, {point.load_name}"
        self._progress.reset(self._task, description=name, total=self._total)

    def outcome(self, outcome: load.Outcome) -> None:
        self._progress.advance(self._task)


def _show(
    results: list[load.Result],
    target: load.Target,
    settings: dict[str, Any],
    json_to: str | None,
    plot: Path | None,
) -> None:
    console = Console(stderr=json_to == "-")
    if not console.is_terminal:
        console.width = max(console.width, _FILE_WIDTH)
    console.print(report.table(results, target) if results else "Nothing was measured.")
    for line in report.problems(results):
        console.print(line, style="red", markup=False, highlight=False)
    document = report.document(results, target, settings)
    if json_to == "-":
        typer.echo(json.dumps(document))
    elif json_to is not None:
        Path(json_to).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if plot is not None and results:
        pictures.draw(results, plot, report.title(target))


def _points(chars: str, concurrency: str | None, rate: str | None) -> list[load.Point]:
    if concurrency is not None and rate is not None:
        raise typer.BadParameter("give it or --rate, not both", param_hint="--concurrency")
    lengths = [int(n) for n in _numbers(chars, "--chars", load.SHORTEST, _LONGEST_TEXT, whole=True)]
    if rate is not None:
        rates = _numbers(rate, "--rate", 0.001, _HIGHEST_RATE)
        return [load.Point(n, rate=r) for n in lengths for r in rates]
    loads = _numbers(concurrency or "1", "--concurrency", 1, _MOST_AT_ONCE, whole=True)
    return [load.Point(n, concurrency=int(c)) for n in lengths for c in loads]


def _numbers(text: str, option: str, low: float, high: float, *, whole: bool = False) -> list[float]:
    found = []
    for part in text.split(","):
        try:
            value = float(int(part)) if whole else float(part)
        except ValueError:
            value = math.nan
        # written so that NaN fails too
        if not low <= value <= high:
            kind = "whole numbers" if whole else "numbers"
            raise typer.BadParameter(
                f"{part.strip()!r}: expected {kind} from {low:g} to {high:g}, comma separated",
                param_hint=option,
            )
        found.append(value)
    return found


def _refuse_too_much(points: list[load.Point], plan: load.Plan) -> None:
    for point in points:
        if plan.requests is None and (point.rate or 0) * (plan.duration or 0) > _MAX_POINT_REQUESTS:
            raise typer.BadParameter(
                f"{point.load_name} for {plan.duration:g} s: expected up to {_MAX_POINT_REQUESTS:,} requests",
                param_hint="--rate",
            )


def _refuse_unwritable(path: Path, option: str) -> None:
    """A long run must not end with figures that cannot be kept."""
    folder = path.parent
    if not folder.is_dir() or path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise typer.BadParameter(f"{path}: cannot be written", param_hint=option)


def _hint(field: str | None) -> str | None:
    if field is None:
        return None
    return "URL" if field == "url" else f"--{field.replace('_', '-')}"
