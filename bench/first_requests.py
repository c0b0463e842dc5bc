"""What the first ten requests after a start take, beside each other: whether anything is still cold.

    python bench/first_requests.py [--engine piper|kokoro|fake] [--voice joe] [--starts 5] [--workers 1]
        [--json bench/results/first_requests.json]

`june-tts serve` is started anew for each row, with the defaults and with phrases not kept. With
LLAMA_CHECKPOINT_PATH in the environment, `--engine fish --voice fish` measures the Fish engine. Each request
is a connection of its own, with a sentence that nobody asked for before; the next one is sent when the last
one has ended. Times are from the request to the first audio byte and to the last, in milliseconds.
"""

import argparse
import json
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

REQUESTS = 10
FORMATS = ("wav", "mp3", "opus")
START_SECONDS = 900.0
NAMES = ("Anna", "Bert", "Carla", "Dora", "Emil", "Fritz", "Greta", "Hans", "Ida", "Jack")
TEXT = "{}, your 3 parcels worth $12.50 arrive on May 4th at 9:30. Please be at home then."
"""Of one length; with numbers, so that its words have to be made."""


@contextmanager
def server(engine: str, voice: str, workers: int) -> Iterator[tuple[str, float]]:
    """Its address, and the seconds that it took to start."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, open(f"{folder}/log", "wb") as log:
        own = {
            "JUNE_ENGINES": engine,
            "JUNE_DEFAULT_VOICE": voice,
            "JUNE_DATA_DIR": folder,
            "JUNE_PHRASE_MB": "0",
            "JUNE_WORKERS": str(workers),
        }
        given = {name: value for name, value in os.environ.items() if not name.startswith("JUNE_")}
        command = [sys.executable, "-m", "june_tts.cli.main", "serve", "--port", str(port)]
        began = time.monotonic()
        process = subprocess.Popen(command, env=given | own, stdout=log, stderr=log)
        try:
            _wait(port, process, Path(folder, "log"))
            yield f"http://127.0.0.1:{port}", time.monotonic() - began
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _wait(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """The port alone is looked at: asking for anything would warm what answers."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if b"Ctrl-C" in log.read_bytes():
            return
        time.sleep(0.02)
    raise SystemExit(f"the server did not start:\n{log.read_text()}")


def asked(url: str, voice: str, text: str, container: str) -> tuple[float, float]:
    """Milliseconds to the first byte of the reply's body and to the last."""
    body = {"input": text, "voice": voice, "response_format": container}
    with httpx.Client(timeout=300) as client:
        began = time.perf_counter()
        with client.stream("POST", f"{url}/v1/audio/speech", json=body) as reply:
            reply.raise_for_status()
            parts = reply.iter_raw()
            next(parts)
            first = time.perf_counter() - began
            for _ in parts:
                pass
        return 1000 * first, 1000 * (time.perf_counter() - began)


def row(engine: str, voice: str, container: str, starts: int, workers: int) -> dict[str, Any]:
    """Medians over the starts, request by request."""
    started, firsts, totals = [], [], []
    for _ in range(starts):
        with server(engine, voice, workers) as (url, seconds):
            times = [asked(url, voice, TEXT.format(name), container) for name in NAMES[:REQUESTS]]
        started.append(seconds)
        firsts.append([first for first, _ in times])
        totals.append([total for _, total in times])
    return {
        "format": container,
        "start_seconds": round(statistics.median(started), 2),
        "first_audio_ms": _medians(firsts),
        "total_ms": _medians(totals),
    }


def _medians(runs: Sequence[Sequence[float]]) -> list[float]:
    return [round(statistics.median(column), 1) for column in zip(*runs, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--engine", default="piper")
    parser.add_argument("--voice", default="joe")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    load = os.getloadavg()[0]
    rows = []
    for container in given.formats.split(","):
        rows.append(row(given.engine, given.voice, container, given.starts, given.workers))
        print(f"{container:5} start {rows[-1]['start_seconds']} s")
        for name in ("first_audio_ms", "total_ms"):
            print(f"      {name:15}", *(f"{value:7.1f}" for value in rows[-1][name]))
    if given.json:
        machine = {"platform": platform.platform(), "cores": os.cpu_count(), "load_before": load}
        about = {
            "engine": given.engine,
            "voice": given.voice,
            "workers": given.workers,
            "starts": given.starts,
        }
        given.json.write_text(json.dumps({**about, "machine": machine, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
