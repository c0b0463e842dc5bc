"""What 500 connections that mean no good cost others: first audio with and without them, in turns.

    python -m bench.slow_loris [--pairs 4] [--requests 40] [--out bench/results/slow_loris.json]

Of ten, four send half of their headers, four half of a body, one byte a second; one opens a WebSocket and
says nothing; one asks for a long text and takes none of its audio. Each that is cut off comes again. The exit
status is 1 where the others' 95th percentile is more than 20 % later, or one of them was refused.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from bench.serving import Served, served

LORISES = 500
SETTLE_SECONDS = 60.0
"""After they came: those who take nothing are first given what fits the buffers, which is work for the engine
like any other, and rest five seconds later. Who comes meanwhile may be refused, as under any crowd."""
MOST_LATER = 1.2
AGAIN_SECONDS = 1.0
LONG = "The train leaves the station at nine, and the children look out of the window. " * 120
WORDS = "river window garden summer letter morning paper stone music winter market bridge".split()

Loris = Callable[[str, int, Counter[str]], Awaitable[None]]


async def half_headers(host: str, port: int, seen: Counter[str]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(b"POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nX-Slow: ")
        await _trickle(reader, writer)
    finally:
        writer.transport.abort()
        seen["headers cut"] += 1


async def half_body(host: str, port: int, seen: Counter[str]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        head = b"POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nContent-Type: application/json\r\n"
        writer.write(head + b'Content-Length: 1000\r\n\r\n{"input": "')
        await _trickle(reader, writer)
    finally:
        writer.transport.abort()
        seen["bodies cut"] += 1


async def silent_socket(host: str, port: int, seen: Counter[str]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        head = b"GET /v1/tts/live HTTP/1.1\r\nHost: june\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        writer.write(
            head + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        while await reader.read(1000):
            pass
    finally:
        writer.transport.abort()
        seen["sockets cut"] += 1


async def taker_of_nothing(host: str, port: int, seen: Counter[str]) -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await loop.sock_connect(client, (host, port))
        body = json.dumps({"input": LONG, "voice": "joe", "response_format": "wav"}).encode()
        head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nContent-Length: {len(body)}\r\n"
        await loop.sock_sendall(client, head.encode() + b"Content-Type: application/json\r\n\r\n" + body)
        first = await loop.sock_recv(client, 13)
        seen["takers refused" if first.endswith(b"503 ") else "takers cut"] += 1
        if not first.endswith(b"503 "):
            await asyncio.sleep(3600)


KINDS: tuple[Loris, ...] = (half_headers, half_body) * 4 + (silent_socket, taker_of_nothing)


async def _trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    cut = asyncio.create_task(reader.read(1000))
    try:
        while not cut.done():
            writer.write(b"a")
            await asyncio.wait([cut], timeout=1.0)
    finally:
        cut.cancel()
        await asyncio.gather(cut, return_exceptions=True)


@asynccontextmanager
async def lorises(server: Served, count: int, seen: Counter[str]) -> AsyncIterator[None]:
    """In a process of their own: what they keep busy besides the server is not whoever measures it."""
    command = ["-m", "bench.slow_loris", "--attack", str(server.port), "--lorises", str(count)]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdin=pipe, stdout=pipe)
    try:
        yield
    finally:
        if process.stdin is not None:
            process.stdin.close()  # `communicate` leaves it open where it has nothing to say
        told, _ = await process.communicate()
        seen.update(json.loads(told))


async def attack(port: int, count: int) -> None:
    """Until standard input ends; what was seen is printed then."""
    seen = Counter[str]()

    async def one(kind: Loris) -> None:
        while True:
            with suppress(OSError):
                await kind("127.0.0.1", port, seen)
            await asyncio.sleep(AGAIN_SECONDS)

    tasks = [asyncio.create_task(one(KINDS[number % len(KINDS)])) for number in range(count)]
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps(seen))


async def first_audio(server: Served, draw: random.Random, seen: Counter[str]) -> float | None:
    """Seconds to the first byte of speech; the rest is read, too. None where it was refused."""
    text = " ".join(draw.choices(WORDS, k=8)) + "."
    body = json.dumps({"input": text, "voice": "joe", "response_format": "pcm"}).encode()
    head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nContent-Length: {len(body)}\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    began = time.perf_counter()
    writer.write(head.encode() + b"Connection: close\r\nContent-Type: application/json\r\n\r\n" + body)
    try:
        head_read = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(1)
        seconds = time.perf_counter() - began
        await reader.read()
    finally:
        writer.transport.abort()
    status = head_read.split(b" ")[1].decode()
    seen[f"others {status}"] += 1
    return seconds if status == "200" else None


async def window(server: Served, requests: int, draw: random.Random, seen: Counter[str]) -> list[float]:
    found = []
    for _ in range(requests):
        if (seconds := await first_audio(server, draw, seen)) is not None:
            found.append(seconds)
    return found


async def measure(given: argparse.Namespace, server: Served) -> dict[str, Any]:
    draw, seen = random.Random(given.seed), Counter[str]()
    without: list[float] = []
    among: list[float] = []
    rows: list[dict[str, Any]] = []
    await window(server, 5, draw, Counter())
    for number in range(given.pairs):
        calm = await window(server, given.requests, draw, seen)
        rss = server.process.memory_info().rss
        async with lorises(server, given.lorises, seen):
            await asyncio.sleep(given.settle)
            crowded = await window(server, given.requests, draw, seen)
            most_rss, handles = server.process.memory_info().rss, server.process.num_fds()
        await asyncio.sleep(2)
        without += calm
        among += crowded
        rows.append(
            {
                "p95_ms_without": _ms(calm),
                "p95_ms_among": _ms(crowded),
                "rss_mb": [round(rss / 2**20, 1), round(most_rss / 2**20, 1)],
                "handles": handles,
            }
        )
        sys.stderr.write(f"pair {number + 1}: {rows[-1]}\n")
    return {
        "lorises": given.lorises,
        "p95_ms_without": _ms(without),
        "p95_ms_among": _ms(among),
        "p50_ms_without": _ms(without, 0.5),
        "p50_ms_among": _ms(among, 0.5),
        "later": round(_ms(among) / _ms(without), 3) if among else None,
        "refused": sum(seen[name] for name in seen if name.startswith("others ") and name != "others 200"),
        "seen": dict(sorted(seen.items())),
        "pairs": rows,
        "cores": os.cpu_count(),
    }


def _ms(seconds: list[float], share: float = 0.95) -> float:
    if not seconds:
        return float("nan")
    return round(1000 * sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))], 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--requests", type=int, default=40, help="of others, in each half of a pair")
    parser.add_argument("--lorises", type=int, default=LORISES)
    parser.add_argument("--streams", type=int, default=512, help="JUNE_MAX_STREAMS of the server")
    parser.add_argument("--settle", type=float, default=SETTLE_SECONDS, help="seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("bench/results/slow_loris.json"))
    parser.add_argument("--attack", type=int, metavar="PORT", help=argparse.SUPPRESS)
    given = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * given.lorises)), hard))
    if given.attack:
        asyncio.run(attack(given.attack, given.lorises))
        return
    # places for all of them: which engine carries how many is learned
    piper = {"JUNE_ENGINES": "piper", "JUNE_MAX_STREAMS": str(given.streams)}
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), **piper) as server:
        found = asyncio.run(measure(given, server))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    told = {name: value for name, value in found.items() if name != "pairs"}
    sys.stderr.write(json.dumps(told, indent=1) + "\n")
    if found["refused"] or found["later"] is None or found["later"] > MOST_LATER:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
