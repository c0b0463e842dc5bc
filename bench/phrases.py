"""How many answers a second one worker gives with a phrase that it has, over HTTP keep-alive.

    python bench/phrases.py [--seconds 15] [--connections 8] [--json bench/results/phrases.json]

`june-tts serve` runs as ever, with the voice joe; the client, a process of its own, shares the machine. Each
connection sends its next request when the last byte of the answer has come. The client looks at every
answer's status and length, and takes the first one apart.
"""

import argparse
import hashlib
import json
import os
import platform
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

PATH = "/v1/audio/speech"
TEXT = "Good morning, how can I help you today?"
FORMATS = ("wav", "pcm", "mp3")
START_SECONDS = 60.0
LEAST_RATE, MOST_P99_MS = 1500.0, 20.0
"""What is promised, answers a second and their slowest hundredth; else the exit status is 1."""
BUFFER_BYTES = 1 << 20


@contextmanager
def server(folder: Path, engine: str) -> Iterator[tuple[psutil.Process, int]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("JUNE_")},
        "JUNE_ENGINES": engine,
        "JUNE_DEFAULT_VOICE": "fake" if engine == "fake" else "joe",
        "JUNE_DATA_DIR": str(folder),
        "JUNE_PHRASE_RANDOM": "true",
        "JUNE_LOG_FORMAT": "json",
    }
    command = [sys.executable, "-m", "june_tts.cli.main", "serve", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
    try:
        _wait(port, process)
        yield psutil.Process(process.pid), port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def request(format: str) -> bytes:
    body = json.dumps({"input": TEXT, "voice": "alloy", "response_format": format}).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: june\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def whole(connection: socket.socket, asked: bytes) -> bytes:
    """One answer, up to the last chunk of its body."""
    connection.sendall(asked)
    answer = bytearray()
    while not answer.endswith(b"0\r\n\r\n"):
        part = connection.recv(BUFFER_BYTES)
        if not part:
            raise SystemExit(f"the server hung up: {bytes(answer[:300])!r}")
        answer += part
    return bytes(answer)


def warm(port: int, asked: bytes) -> bytes:
    """Until the answer comes from memory, by the shortcut; return it."""
    with connected(port) as connection:
        for _ in range(20):
            answer = whole(connection, asked)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(answer[:500].decode(errors="replace"))
        if b"x-june-cache: hit" not in answer.partition(b"\r\n\r\n")[0]:
            raise SystemExit("the phrase is not kept")
        return answer


def body_of(answer: bytes) -> bytes:
    rest, body = answer.partition(b"\r\n\r\n")[2], b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return body


@dataclass
class Connection:
    socket: socket.socket
    sent_at: float = 0.0
    got: int = 0


@dataclass
class Outcome:
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0


def drive(port: int, asked: bytes, length: int, connections: int, seconds: float) -> Outcome:
    """Keep so many requests under way for so long. Every answer must be of this length."""
    outcome, buffer = Outcome(), bytearray(BUFFER_BYTES)
    selector = selectors.DefaultSelector()
    began = time.perf_counter()
    for _ in range(connections):
        one = Connection(connected(port))
        one.socket.setblocking(False)
        selector.register(one.socket, selectors.EVENT_READ, one)
        _send(one, asked)
    end = began + seconds
    while (now := time.perf_counter()) < end:
        for key, _ in selector.select(1.0):
            one = key.data
            got = one.socket.recv_into(buffer)
            if one.got == 0 and not buffer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(bytes(buffer[:300]).decode(errors="replace"))
            one.got += got
            if one.got > length or not got:
                raise SystemExit(f"an answer of {one.got} bytes: expected {length}")
            if one.got == length:
                outcome.latencies.append(time.perf_counter() - one.sent_at)
                _send(one, asked)
    outcome.seconds = now - began
    for key in [*selector.get_map().values()]:
        key.data.socket.close()
    return outcome


def _send(one: Connection, asked: bytes) -> None:
    one.got = 0
    one.sent_at = time.perf_counter()
    one.socket.send(asked)


def measured(port: int, process: psutil.Process, format: str, given: argparse.Namespace) -> dict[str, Any]:
    asked = request(format)
    answer = warm(port, asked)
    before = process.cpu_times()
    mine = time.process_time()
    outcome = drive(port, asked, len(answer), given.connections, given.seconds)
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    count = len(outcome.latencies)
    cuts = statistics.quantiles(outcome.latencies, n=1000)
    return {
        "format": format,
        "body_bytes": len(body_of(answer)),
        "sha256": hashlib.sha256(body_of(answer)).hexdigest()[:16],
        "connections": given.connections,
        "seconds": round(outcome.seconds, 2),
        "answers": count,
        "answers_per_second": round(count / outcome.seconds, 1),
        "p50_ms": round(1000 * cuts[499], 3),
        "p99_ms": round(1000 * cuts[989], 3),
        "max_ms": round(1000 * max(outcome.latencies), 3),
        "server_cpu_ms_per_answer": round(1000 * spent / count, 4),
        "client_cpu_ms_per_answer": round(1000 * (time.process_time() - mine) / count, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0, help="for each format")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--formats", nargs="+", default=FORMATS)
    parser.add_argument("--engine", choices=("piper", "fake"), default="piper")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), given.engine) as (process, port):
        rows = [measured(port, process, format, given) for format in given.formats]
    kept = all(row["answers_per_second"] >= LEAST_RATE and row["p99_ms"] <= MOST_P99_MS for row in rows)
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    found = {"machine": machine, "text": TEXT, "kept": kept, "runs": rows}
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()
