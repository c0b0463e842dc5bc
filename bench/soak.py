"""Half an hour at 70 % of what the server sustains: memory, threads, handles, sockets, loop lag, first audio.

    python -m bench.soak [--minutes 30] [--rate REQUESTS_A_SECOND] [--out bench/results/soak.json]

A real server with joe. Without `--rate` the sustainable rate is looked for first: the highest of which nine
in ten are served and the 95th percentile of first audio stays below `SOON_SECONDS`. The load is mixed: all
formats, streams of events, sockets, texts that come again (over HTTP and on sockets, more than the cache
holds), listeners that hang up, batches, voices that are uploaded and removed, refused requests; all of it
with a key that has limits. After a minute of twice the load, and a tenth to warm up, what the server holds is
fitted by least squares; the exit status is 1 where something grows by more than `MOST` an hour, or anything
failed that should not. A plot lies beside the JSON.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from bench.serving import Served, served
from bench.soak_load import Callers
from matplotlib.figure import Figure
from tests.e2e.server_process import gauge

LOOK_SECONDS = 5.0
SHARE = 0.7
SOON_SECONDS = 0.6
PROBE_SECONDS = 8.0
PEAK = 2.0
PEAK_SECONDS = 60.0
"""A minute of so many times the load comes first: what the most streams at once need is kept by the
allocators, and would look like growth whenever chance brings them together."""
MOST = {"rss_mb": 24.0, "threads": 2.0, "handles": 8.0, "sockets": 8.0}
"""The steepest slope an hour."""
MOST_IN_FLIGHT = 200
GOOD = ("200", "stop", "400", "404", "422", "200 200", "503")
LAG = "tts_event_loop_lag_seconds"
KEY = "a-key-for-half-an-hour-of-every-call"
HEADERS = {"Authorization": f"Bearer {KEY}"}
SETTINGS = {
    "JUNE_ENGINES": "piper",
    "JUNE_API_KEY": KEY,
    "JUNE_REQUESTS_PER_MINUTE": "100000",
    "JUNE_CHARACTERS_PER_MONTH": "100000000",
    "JUNE_KEY_STREAMS": "500",
    "JUNE_PHRASE_RANDOM": "1",
    "JUNE_PHRASE_MB": "8",
}


async def soak(given: argparse.Namespace, server: Served) -> dict[str, Any]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=MOST_IN_FLIGHT)
    async with httpx.AsyncClient(base_url=server.address, timeout=60, limits=limits, headers=HEADERS) as http:
        callers = Callers(server.address, http, given.seed, HEADERS)
        rate = given.rate or SHARE * await sustainable(callers)
        await _arrivals(callers, PEAK * rate, time.monotonic() + PEAK_SECONDS)
        callers.counts.clear()
        looks = await _run(callers, rate, given.minutes * 60, server, http)
    return {
        "minutes": given.minutes,
        "rate": round(rate, 2),
        "slopes_an_hour": slopes(looks),
        "counts": dict(sorted(callers.counts.items())),
        "looks": looks,
    }


async def sustainable(callers: Callers) -> float:
    """Requests a second, by doubling and then halving the step twice."""
    rate, step, found = 2.0, 2.0, 1.0
    while step >= 0.5:
        good = await _bears(callers, rate)
        sys.stderr.write(f"{rate:g} a second: {'borne' if good else 'too many'}\n")
        if good:
            found = rate
            step = step * 2 if step >= rate / 2 else step
            rate += step
        else:
            step = min(step, rate - found) / 2
            rate = found + step
    return found


async def _bears(callers: Callers, rate: float) -> bool:
    before, callers.first_seconds = sum(callers.counts.values()), []
    refused = _refused(callers)
    await _arrivals(callers, rate, time.monotonic() + PROBE_SECONDS)
    asked = sum(callers.counts.values()) - before
    p95 = _p95(callers.first_seconds)
    return p95 is not None and p95 < SOON_SECONDS and _refused(callers) - refused < asked / 10


def _refused(callers: Callers) -> int:
    return sum(count for name, count in callers.counts.items() if name.endswith(" 503"))


async def _arrivals(callers: Callers, rate: float, until: float) -> None:
    """Arrivals that wait for nobody, until the moment; returns when the last one is over."""
    due = time.monotonic()
    flying: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as tasks:
        while (due := due + 1 / rate) < until:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if len(flying) < MOST_IN_FLIGHT:
                flying.add(task := tasks.create_task(callers.call()))
                task.add_done_callback(flying.discard)
            else:
                callers.counts["driver full"] += 1


async def _run(
    callers: Callers, rate: float, seconds: float, server: Served, http: httpx.AsyncClient
) -> list[dict[str, Any]]:
    looks: list[dict[str, Any]] = []
    began = time.monotonic()
    load = asyncio.create_task(_arrivals(callers, rate, began + seconds))
    while not load.done():
        await asyncio.wait([load], timeout=LOOK_SECONDS)
        looks.append(await _look(callers, server, http, time.monotonic() - began, looks))
        sys.stderr.write(f"{ {name: value for name, value in looks[-1].items() if name[0] != '_'} }\n")
    await load
    return looks


async def _look(
    callers: Callers, server: Served, http: httpx.AsyncClient, at: float, before: list[dict[str, Any]]
) -> dict[str, Any]:
    metrics = (await http.get("/metrics")).text
    lag = gauge(metrics, f"{LAG}_sum"), gauge(metrics, f"{LAG}_count")
    last = before[-1]["_lag"] if before else (0.0, 0.0)
    first, callers.first_seconds = callers.first_seconds, []
    with server.process.oneshot():
        return {
            "seconds": round(at, 1),
            "rss_mb": round(server.process.memory_info().rss / 2**20, 2),
            "threads": server.process.num_threads(),
            "handles": server.process.num_fds(),
            "sockets": len(server.process.net_connections()),
            "lag_ms": round(1000 * (lag[0] - last[0]) / max(1.0, lag[1] - last[1]), 2),
            "first_audio_p95_ms": None if (p95 := _p95(first)) is None else round(1000 * p95, 1),
            "_lag": lag,
        }


def _p95(seconds: list[float]) -> float | None:
    return float(np.quantile(seconds, 0.95)) if seconds else None


def slopes(looks: list[dict[str, Any]]) -> dict[str, float]:
    """Growth an hour of everything that is held, after the warm-up."""
    later = looks[len(looks) // 10 :]
    hours = [look["seconds"] / 3600 for look in later]
    return {name: round(float(np.polyfit(hours, [look[name] for look in later], 1)[0]), 2) for name in MOST}


def plotted(found: dict[str, Any], path: Path) -> None:
    names = [*MOST, "lag_ms", "first_audio_p95_ms"]
    figure = Figure(figsize=(8, 1.6 * len(names)), layout="constrained")
    axes = figure.subplots(len(names), 1, sharex=True)
    minutes = [look["seconds"] / 60 for look in found["looks"]]
    for axis, name in zip(axes, names, strict=True):
        axis.plot(minutes, [look[name] for look in found["looks"]], linewidth=1)
        axis.set_ylabel(name, fontsize=8)
        axis.set_ylim(bottom=0)
    axes[-1].set_xlabel(f"minutes at {found['rate']} requests a second")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, help="requests a second; without, 70 %% of what is sustained")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("bench/results/soak.json"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), **SETTINGS) as server:
        found = asyncio.run(soak(given, server))
    failed = {name: n for name, n in found["counts"].items() if not name.endswith(GOOD)}
    found["kept"] = {name: found["slopes_an_hour"][name] <= most for name, most in MOST.items()}
    found["kept"]["nothing failed"] = not failed
    for look in found["looks"]:
        del look["_lag"]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    plotted(found, given.out.with_suffix(".png"))
    sys.stderr.write(json.dumps({n: v for n, v in found.items() if n != "looks"}, indent=1) + "\n")
    if not all(found["kept"].values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
