"""The guide's load test on a server of its own: locust, its two tasks, so many users.

    python -m bench.locust_run [--users 10] [--seconds 60] [--json bench/results/locust.json]

Users wait 1 to 3 seconds between two requests, as the guide has it. The exit status is 1 where a request
failed that was not refused with a time to come back.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.overload import server

LOCUSTFILE = Path(__file__).parent / "locustfile.py"


def locust(url: str, users: int, seconds: int, found: Path) -> None:
    """Run it to its end; its figures are in `found` then."""
    options = ["--headless", "--only-summary", "--exit-code-on-error", "0", "--loglevel", "WARNING"]
    load = ["-u", str(users), "-r", str(users), "-t", f"{seconds}s", "--stop-timeout", "30"]
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", url, *options, *load]
    subprocess.run([*command, "--json-file", str(found.with_suffix(""))], check=True)


def figures(kind: dict[str, Any], seconds: int) -> dict[str, Any]:
    """Of one line of locust's: milliseconds and counts."""
    times = sorted((float(ms), count) for ms, count in kind["response_times"].items())
    return {
        "requests": kind["num_requests"],
        "failed": kind["num_failures"],
        "per_second": round(kind["num_requests"] / seconds, 2),
        **{f"p{share}": _percentile(times, share / 100) for share in (50, 95, 99)},
        "max": round(kind["max_response_time"], 1),
    }


def _percentile(times: list[tuple[float, int]], share: float) -> float:
    left = share * sum(count for _, count in times)
    for ms, count in times:
        left -= count
        if left <= 0:
            return ms
    return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--users", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(folder, {}) as url:
        found = Path(folder) / "locust.json"
        locust(url, options.users, options.seconds, found)
        kinds = {kind["name"]: figures(kind, options.seconds) for kind in json.loads(found.read_text())}
    for name, kind in kinds.items():
        print(f"{name:>18}  " + "  ".join(f"{key} {value}" for key, value in kind.items()))
    if options.json:
        machine = {"cores": os.cpu_count(), "system": platform.platform()}
        given = {"users": options.users, "seconds": options.seconds, "milliseconds": kinds}
        options.json.write_text(json.dumps({"machine": machine, **given}, indent=1) + "\n")
    sys.exit(any(kind["failed"] for kind in kinds.values()))


if __name__ == "__main__":
    main()
