"""Twenty thousand malformed requests over every endpoint: statuses, what is left behind, memory.

    python -m bench.fuzz [--requests 20000] [--seed 1] [--out bench/results/fuzz.json]

The requests are those of `tests/fuzz/malformed.py`, sent to a real server with the fake engine. The exit
status is 1 where one is answered with 5xx (but for right refusals), where
streams, handles or threads are left, or memory grew after the first tenth by more than `RSS_GROWN_MB`.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
from bench.serving import Served, served
from tests.e2e.server_process import gauge
from tests.fuzz.malformed import Malformed
from tests.fuzz.sender import Sender

SLICE = 500
"""Requests between two looks at the server."""
RSS_GROWN_MB = 15.0
SETTLE_SECONDS = 3.0
IDLE = ("tts_active_requests", "tts_engine_streams")


async def fuzzed(given: argparse.Namespace, server: Served) -> dict[str, Any]:
    document = json.loads(await _read(server, "/openapi.json"))
    sender = Sender(server.address)
    # some of them no HTTP client sends
    waiting = Malformed(document, given.seed).requests(2 * given.requests)
    before, curve, began = _held(server), [], time.monotonic()
    while part := list(islice(waiting, min(SLICE, given.requests - sender.statuses.total()))):
        await sender.send(part)
        curve.append({"requests": sender.statuses.total(), **_held(server)})
        sys.stderr.write(f"{curve[-1]} wrong: {len(sender.wrong)}\n")
    await asyncio.sleep(SETTLE_SECONDS)
    after = _held(server)
    metrics = await _read(server, "/metrics")
    left = {name: gauge(metrics, name) for name in IDLE}
    settled = curve[len(curve) // 10]
    return {
        "requests": sender.statuses.total(),
        "seconds": round(time.monotonic() - began, 1),
        "wrong": sender.wrong,
        "left": left,
        "before": before,
        "after": after,
        "rss_grown_mb": round(after["rss_mb"] - settled["rss_mb"], 1),
        "handles_grown": after["handles"] - before["handles"],
        "threads_grown": after["threads"] - settled["threads"],
        "statuses": _by_route(sender),
        "curve": curve,
    }


async def _read(server: Served, path: str) -> str:
    async with httpx.AsyncClient(base_url=server.address, timeout=30) as http:
        return (await http.get(path)).text


def _held(server: Served) -> dict[str, Any]:
    with server.process.oneshot():
        rss = round(server.process.memory_info().rss / 2**20, 1)
        return {"rss_mb": rss, "handles": server.process.num_fds(), "threads": server.process.num_threads()}


def _by_route(sender: Sender) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (route, status), count in sorted(sender.statuses.items()):
        found.setdefault(route, {})[status] = count
    return found


def _promises(found: dict[str, Any]) -> dict[str, bool]:
    return {
        "no 5xx": not found["wrong"],
        "nothing left": not any(found["left"].values()),
        "memory flat": found["rss_grown_mb"] <= RSS_GROWN_MB,
        "handles flat": found["handles_grown"]
        <= 8,  # connections that rest until their five seconds are over
        "threads flat": found["threads_grown"] <= 2,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("bench/results/fuzz.json"))
    given = parser.parse_args()
    fake = {"JUNE_ENGINES": "fake", "JUNE_DEFAULT_VOICE": "fake", "JUNE_BODY_TIMEOUT_SECONDS": "2"}
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), **fake) as server:
        found = asyncio.run(fuzzed(given, server))
    found["kept"] = _promises(found)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    told = {name: found[name] for name in ("requests", "seconds", "left", "rss_grown_mb", "kept")}
    sys.stderr.write(json.dumps(told, indent=1) + "\n" + "\n".join(found["wrong"][:10]) + "\n")
    if not all(found["kept"].values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
