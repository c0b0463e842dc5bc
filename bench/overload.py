"""What happens to listeners when three times as many requests come as the server can serve.

    python -m bench.overload [--seconds 300] [--quick] [--json bench/results/overload.json]

Finds the rate that `june-tts serve` with joe carries, then offers half of it and three times of it for
`--seconds` each, open loop: requests arrive at random and wait for nobody. Server and driver are processes of
their own on the same machine; the driver counts bytes and decodes nothing. Every text is new.
"""

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.compare_piper import free_port
from bench.overload_plot import draw
from bench.server_health import wait_ready

from june_tts import load

REFUSED = "http 503"
SUSTAINED = 0.99
"""Of the requests of a rate that is carried: admitted, whole, and never silent."""
AT_ONCE = 6
STEPS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.5)
"""Rates that are tried, as shares of what so many listeners at once get."""
FURTHER = 4
"""Steps beyond, where the last one is still carried."""


@dataclass(frozen=True, slots=True)
class Phase:
    """What was offered at one rate, and what came of it. Times in seconds, figures per second."""

    name: str
    rate: float
    seconds: float
    offered: int
    admitted: int
    refused: int
    other: dict[str, int]
    goodput: float
    """Audio of whole answers, from the first request to the last end."""
    requests_per_second: float
    silent: int
    """Admitted listeners who heard silence within their speech."""
    ttfa: load.Spread | None
    refusal: load.Spread | None
    """From due to answered."""
    client_cpu: float
    """Share of one core."""

    @property
    def carried(self) -> bool:
        return self.offered > 0 and (self.admitted - self.silent) / self.offered >= SUSTAINED


@contextmanager
def server(folder: str, settings: dict[str, str]) -> Iterator[str]:
    port = free_port()
    environ = os.environ | {
        "JUNE_DATA_DIR": folder,
        "JUNE_ENGINES": "piper",
        "JUNE_LOG_LEVEL": "error",
        "WRAPPER_PORT": str(port),
        **settings,
    }
    process = subprocess.Popen([sys.executable, "-m", "june_tts.cli.main", "serve"], env=environ)
    try:
        wait_ready(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


class Driver:
    """Offers load and keeps every outcome."""

    def __init__(self, url: str, chars: int, seed: int) -> None:
        self._target = load.Target(url, voice="joe")
        self._texts = load.Texts(seed)
        self._chars = chars
        self._seed = seed
        self.outcomes: dict[str, list[load.Outcome]] = {}

    async def open(self, name: str, rate: float, seconds: float) -> Phase:
        self._seed += 1
        plan = load.Plan(requests=None, duration=seconds, seed=self._seed)
        return await self._phase(name, load.Point(self._chars, rate=rate), plan, seconds)

    async def closed(self, at_once: int, seconds: float) -> Phase:
        plan = load.Plan(requests=None, duration=seconds, pause=0.1)
        return await self._phase(
            f"{at_once} at once", load.Point(self._chars, concurrency=at_once), plan, seconds
        )

    async def _phase(self, name: str, point: load.Point, plan: load.Plan, seconds: float) -> Phase:
        outcomes = self.outcomes[name] = []
        async with load.Client(self._target, timeout=120) as client:
            cpu, begun = time.process_time(), client.clock()
            await load.run_point(client, point, plan, self._texts.next, outcomes.append)
            wall = client.clock() - begun
        share = (time.process_time() - cpu) / wall
        phase = measured(name, point.rate or 0.0, outcomes, begun, seconds, share)
        print(line(phase), flush=True)
        return phase


def measured(
    name: str, rate: float, outcomes: list[load.Outcome], begun: float, seconds: float, cpu: float
) -> Phase:
    good = [o for o in outcomes if o.error is None]
    refused = [o for o in outcomes if o.error == REFUSED]
    other = Counter(o.error for o in outcomes if o.error not in (None, REFUSED))
    wall = max(o.ended for o in outcomes) - begun if outcomes else seconds
    return Phase(
        name,
        rate,
        seconds,
        len(outcomes),
        len(good),
        len(refused),
        {str(kind): count for kind, count in other.items()},
        sum(o.audio_seconds for o in good) / wall,
        len(good) / wall,
        sum(o.underruns > 0 for o in good),
        load.Spread.of(o.ttfa for o in good if o.ttfa is not None),
        load.Spread.of(o.total for o in refused),
        cpu,
    )


def line(phase: Phase) -> str:
    def ms(spread: load.Spread | None) -> str:
        if spread is None:
            return "-"
        return "/".join(f"{1000 * x:.0f}" for x in (spread.p50, spread.p95, spread.p99, spread.max))

    return (
        f"{phase.name:>12}  {phase.rate:5.2f}/s  {phase.offered:5} offered  {phase.admitted:5} admitted  "
        f"{phase.refused:5} refused  {sum(phase.other.values()):3} failed  {phase.silent:3} silent  "
        f"first audio {ms(phase.ttfa)} ms  refusal {ms(phase.refusal)} ms  "
        f"{phase.goodput:5.1f} s/s  {phase.requests_per_second:5.2f}/s  client {phase.client_cpu:4.0%}"
    )


async def overload(url: str, options: argparse.Namespace) -> tuple[list[Phase], Driver]:
    driver = Driver(url, options.chars, options.seed)
    await driver.closed(2, 3)
    full = await driver.closed(AT_ONCE, options.search_seconds)
    tried = [
        await driver.open(f"{share:g}", share * full.requests_per_second, options.search_seconds)
        for share in STEPS
    ]
    for _ in range(FURTHER):
        if not tried[-1].carried:
            break
        tried.append(await driver.open("further", 1.5 * tried[-1].rate, options.search_seconds))
    carried = [phase for phase in tried if phase.carried] or tried[:1]
    rate = options.rate or max(phase.rate for phase in carried)
    half = await driver.open("half", rate / 2, options.seconds)
    three = await driver.open("three times", rate * 3, options.seconds)
    return [full, *tried, half, three], driver


@dataclass(frozen=True, slots=True)
class Check:
    what: str
    found: str
    passed: bool


def judged(phases: list[Phase]) -> list[Check]:
    """What the issue asks for, of the last two phases against all."""
    half, three = phases[-2:]
    peak = max(phase.goodput for phase in phases)
    if half.ttfa is None or three.ttfa is None:
        return [Check("speech was heard at both rates", "none", False)]
    ratio, share = three.ttfa.p95 / half.ttfa.p95, three.goodput / peak
    p99, most = (three.refusal.p99, three.refusal.max) if three.refusal else (0.0, 0.0)
    others = sum(sum(phase.other.values()) for phase in (half, three))
    return [
        Check("admitted: first audio p95 within 1.5 times that at half", f"{ratio:.2f}", ratio <= 1.5),
        Check("refusals within 20 ms (p99)", f"{1000 * p99:.1f} ms, slowest {1000 * most:.1f}", p99 <= 0.02),
        Check("nothing else failed", str(others), others == 0),
        Check("goodput within 5 % of the peak", f"{share:.1%}", share >= 0.95),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300, help="of each of the two rates")
    parser.add_argument("--search-seconds", type=float, default=30, help="of each rate that is tried")
    parser.add_argument("--quick", action="store_true", help="20 s of each, 6 s of those tried")
    parser.add_argument("--rate", type=float, help="the rate that is carried, requests a second; else found")
    parser.add_argument("--chars", type=int, default=100, help="of each text")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a server's setting")
    parser.add_argument("--json", type=Path, help="write the figures here, and a plot beside them")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.search_seconds = 20, 6
    settings = dict(pair.split("=", 1) for pair in options.set)
    with tempfile.TemporaryDirectory() as folder, server(folder, settings) as url:
        phases, driver = asyncio.run(overload(url, options))
    checks = judged(phases)
    for check in checks:
        print(f"{'pass' if check.passed else 'FAIL'}  {check.what}: {check.found}")
    if options.json:
        write(options.json, phases, checks, driver, options)
    sys.exit(not all(check.passed for check in checks))


def write(
    path: Path, phases: list[Phase], checks: list[Check], driver: Driver, options: argparse.Namespace
) -> None:
    document: dict[str, Any] = {
        "machine": {
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "chars": options.chars,
        "seconds": options.seconds,
        "settings": options.set,
        "phases": [asdict(phase) for phase in phases],
        "checks": [asdict(check) for check in checks],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
    draw(phases, driver.outcomes, path.with_suffix(".png"))


if __name__ == "__main__":
    main()
