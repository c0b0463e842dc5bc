"""What a server is like to live with: hang-ups, the event loop's longest gap, memory over 2,000 requests.

    python bench/server_health.py [--requests 2000] [--json bench/results/server_health.json]

Hang-ups and the event loop are measured from inside, on the real application with the real engine behind a
real socket; the load comes from another process. Memory is measured on `june-tts serve` from outside.
"""

import argparse
import asyncio
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import uvicorn

from june_tts.bootstrap import running
from june_tts.http.app import create_app
from june_tts.http.services import Services
from june_tts.settings import load
from june_tts.telemetry import log

CLIENTS = 20
ROUNDS = 5
TICK_SECONDS = 0.001
TEXT = "The quick brown fox jumps over the lazy dog while the sun sets behind the distant mountains. "


@asynccontextmanager
async def server(folder: Path) -> AsyncIterator[tuple[Services, int]]:
    environ = {"JUNE_DATA_DIR": str(folder), "JUNE_ENGINES": "piper"}
    log.configure("error", "json")
    async with running(load(environ).settings) as services:
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(create_app(services), log_config=None, access_log=False, lifespan="off")
        serving = uvicorn.Server(config)
        task = asyncio.create_task(serving.serve([listener]))
        while not serving.started:
            await asyncio.sleep(0.01)
        yield services, listener.getsockname()[1]
        serving.should_exit = True
        await task


async def hang_up(services: Services, port: int) -> float:
    """Milliseconds from the last of 20 clients closing its socket to no stream and no model run."""
    body = json.dumps({"input": TEXT * 50, "voice": "joe", "response_format": "pcm"}).encode()
    head = (
        "POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )

    async def client() -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode() + body)
        received = b""
        while len(received) < 4000:  # some audio, so that it is in mid-stream
            received += await reader.read(4096)
        return writer

    writers = await asyncio.gather(*(client() for _ in range(CLIENTS)))
    (engine,) = services.engines
    assert engine.active == CLIENTS, engine.active
    for writer in writers:
        writer.transport.abort()
    began = time.perf_counter()
    while engine.active or engine.running or services.admission.active:
        await asyncio.sleep(0.0005)
        if time.perf_counter() - began > 5:
            raise SystemExit("work went on for 5 s after the hang-up")
    return 1000 * (time.perf_counter() - began)


async def loop_gaps(port: int) -> dict[str, float]:
    """How late a 1 ms ticker runs while 8 clients in another process ask for MP3."""
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "june_tts.cli.main", "bench", f"http://127.0.0.1:{port}"),
        *("--voice", "joe", "--concurrency", "8", "--requests", "40", "--chars", "200,1000", "--json", "-"),
        stdout=subprocess.DEVNULL,
    )
    late: list[float] = []
    while client.returncode is None:
        due = time.perf_counter() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        late.append(1000 * (time.perf_counter() - due))
    late.sort()
    return {
        "ticks": len(late),
        "p50_ms": round(late[len(late) // 2], 3),
        "p99_ms": round(late[int(len(late) * 0.99)], 3),
        "p99_9_ms": round(late[int(len(late) * 0.999)], 3),
        "longest_ms": round(late[-1], 3),
    }


async def inside() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with server(Path(folder)) as (services, port):
            found = [await hang_up(services, port) for _ in range(ROUNDS)]
            gaps = await loop_gaps(port)
    return {
        "hang_up": {
            "clients": CLIENTS,
            "rounds": ROUNDS,
            "idle_after_ms_median": round(statistics.median(found), 2),
            "idle_after_ms_max": round(max(found), 2),
        },
        "event_loop": gaps,
    }


def memory(requests: int) -> dict[str, Any]:
    """Resident memory of `june-tts serve` after 200 and after all requests, four at a time."""
    with tempfile.TemporaryDirectory() as folder:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        environ = os.environ | {"JUNE_DATA_DIR": folder, "WRAPPER_PORT": str(port), "JUNE_LOG_LEVEL": "error"}
        process = subprocess.Popen([sys.executable, "-m", "june_tts.cli.main", "serve"], env=environ)
        try:
            wait_ready(port, process)
            marks = asyncio.run(many(port, requests, psutil.Process(process.pid)))
        finally:
            process.terminate()
            process.wait(30)
    growth = marks[-1][1] / next(rss for count, rss in marks if count == 200) - 1
    return {
        "requests": requests,
        "rss_mb": {str(count): round(rss / 2**20, 1) for count, rss in marks},
        "growth_from_200": round(growth, 4),
    }


def wait_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
        if process.poll() is not None:
            break
    raise SystemExit("the server did not become ready")


async def many(port: int, requests: int, process: psutil.Process) -> list[tuple[int, int]]:
    formats = ["wav", "pcm", "mp3", "opus", "aac", "flac"]
    marks: list[tuple[int, int]] = []
    done = 0
    numbers = iter(range(requests))

    async def worker(http: httpx.AsyncClient) -> None:
        nonlocal done
        for i in numbers:
            text = f"Request {i}: " + TEXT[: 10 + (i * 37) % 80]
            body = {"input": text, "voice": "joe", "response_format": formats[i % len(formats)]}
            reply = await http.post(f"http://127.0.0.1:{port}/v1/audio/speech", json=body, timeout=60)
            reply.raise_for_status()
            done += 1
            if done % 200 == 0:
                marks.append((done, process.memory_info().rss))

    async with httpx.AsyncClient() as http:
        await asyncio.gather(*(worker(http) for _ in range(4)))
    return marks


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=2000, help="for the memory part; at least 200")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    result = {
        "machine": {
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        **asyncio.run(inside()),
        "memory": memory(options.requests),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
