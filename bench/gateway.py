"""What the gateway adds to the engine: an utterance from the engine itself and over HTTP, in turn.

    python bench/gateway.py [--rounds 200] [--engine piper] [--json bench/results/gateway.json]

The engine is called in the server's own process, with the pieces of the text made beforehand, from an event
loop that rested for a moment, as one does that waits for a request; the same text over HTTP comes as WAV to a
client in a process of its own, which keeps its connection. The two take turns, which of them goes first too.
Nothing is kept of what was spoken. First audio is the first sample, which is behind the WAV's header.
"""

import argparse
import asyncio
import json
import os
import platform
import select
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from june_tts.bootstrap import running
from june_tts.http.app import create_app
from june_tts.http.services import Services
from june_tts.settings import load
from june_tts.telemetry import log
from june_tts.text import speakable
from june_tts.types import Piece, Utterance
from june_tts.workers.process import on_the_fastest_loop
from june_tts.workers.server import server_config

TEXT = "Good morning, how can I help you today?"
WAV_HEADER_BYTES = 44
WARM_ROUNDS = 5
REST_SECONDS = 0.01
MOST_ADDED_MS = 3.0
"""What is promised of first audio and of the end, in the median; else the exit status is 1."""


@dataclass(frozen=True)
class Times:
    """Seconds from the call."""

    first: float
    total: float


@asynccontextmanager
async def serving(engine: str, folder: str) -> AsyncIterator[tuple[Services, int]]:
    environ = {
        "JUNE_DATA_DIR": folder,
        "JUNE_ENGINES": engine,
        "JUNE_DEFAULT_VOICE": {"fake": "fake", "piper": "joe", "kokoro": "jf_alpha"}[engine],
        "JUNE_PHRASE_MB": "0",
    }
    settings = load(environ).settings
    log.configure("warning", "json")
    async with running(settings) as services:
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(server_config(create_app(services), settings))
        task = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        yield services, listener.getsockname()[1]
        server.should_exit = True
        await task


async def direct(services: Services) -> Times:
    voice = await services.library.resolve("default")
    engine = services.library.engine_for(voice)
    able = engine.capabilities()
    language = voice.languages[0]
    pieces = [*speakable(TEXT, language, first_chars=able.first_piece_chars, piece_chars=able.piece_chars)]
    first = 0.0
    await asyncio.sleep(REST_SECONDS)
    began = time.perf_counter()
    async with aclosing(engine.synthesize(Utterance("direct", voice, language), _each(pieces))) as chunks:
        async for _ in chunks:
            first = first or time.perf_counter() - began
    return Times(first, time.perf_counter() - began)


async def _each(pieces: Sequence[Piece]) -> AsyncIterator[Piece]:
    for piece in pieces:
        yield piece


class Client:
    """Another process, which is told when to ask."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self) -> Times:
        if self._process.stdin is None or self._process.stdout is None:
            raise SystemExit("the client has no pipes")
        self._process.stdin.write(b"go\n")
        line = await self._process.stdout.readline()
        return Times(*json.loads(line))


def client(port: int) -> None:
    body = json.dumps({"input": TEXT, "voice": "default", "response_format": "wav"}).encode()
    head = "POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nContent-Type: application/json\r\n"
    asked = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    connection = _connected(port)
    for _ in sys.stdin:
        if _given_up(connection):
            connection.close()
            connection = _connected(port)
        print(json.dumps(_asked(connection, asked)), flush=True)


def _connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 30)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _given_up(connection: socket.socket) -> bool:
    """By the server, which keeps no connection that rests for longer than a few seconds."""
    # an answer has been read to its end: what there is to read now is the connection's
    return bool(select.select([connection], [], [], 0)[0])


def _asked(connection: socket.socket, asked: bytes) -> tuple[float, float]:
    """Seconds to the first sample, and to the end."""
    began, first, answer = time.perf_counter(), 0.0, bytearray()
    connection.sendall(asked)
    while not answer.endswith(b"0\r\n\r\n"):
        part = connection.recv(1 << 20)
        if not part:
            raise SystemExit(f"the server hung up: {bytes(answer[:300])!r}")
        answer += part
        head, _, audio = answer.partition(b"\r\n\r\n")
        # the size of the chunk comes before the header of the WAV
        if not first and len(audio) > WAV_HEADER_BYTES + 10:
            first = time.perf_counter() - began
    if not answer.startswith(b"HTTP/1.1 200") or b"x-june-cache" in head:
        raise SystemExit(answer[:500].decode(errors="replace"))
    return first, time.perf_counter() - began


async def measured(given: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        async with serving(given.engine, folder) as (services, port):
            process = await asyncio.create_subprocess_exec(
                sys.executable, __file__, "--client", str(port),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            over_http = Client(process)
            pairs: list[tuple[Times, Times]] = []
            for at in range(WARM_ROUNDS + given.rounds):
                if at % 2:
                    engine, http = await direct(services), await over_http.ask()
                else:
                    http, engine = await over_http.ask(), await direct(services)
                pairs.append((engine, http))
            process.terminate()
            await process.wait()
    return report(given, pairs[WARM_ROUNDS:])


def report(given: argparse.Namespace, pairs: Sequence[tuple[Times, Times]]) -> dict[str, Any]:
    def summary(name: str) -> dict[str, float]:
        engine = [getattr(pair[0], name) for pair in pairs]
        http = [getattr(pair[1], name) for pair in pairs]
        added = [over - own for over, own in zip(http, engine, strict=True)]
        return {
            "engine_p50_ms": _ms(statistics.median(engine)),
            "http_p50_ms": _ms(statistics.median(http)),
            "p50_less_p50_ms": _ms(statistics.median(http) - statistics.median(engine)),
            "added_p50_ms": _ms(statistics.median(added)),
            "added_p90_ms": _ms(statistics.quantiles(added, n=10)[8]),
        }

    first, total = summary("first"), summary("total")
    return {
        "kept": max(first["added_p50_ms"], total["added_p50_ms"]) <= MOST_ADDED_MS,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "engine": given.engine,
        "rounds": len(pairs),
        "text": TEXT,
        "first_audio": first,
        "total": total,
    }


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--engine", choices=("piper", "kokoro", "fake"), default="piper")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--client", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client:
        client(given.client)
        return
    found: dict[str, Any] = {}

    async def measure() -> None:
        found.update(await measured(given))

    on_the_fastest_loop(measure())
    if given.json:
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))
    sys.exit(0 if found["kept"] else 1)


if __name__ == "__main__":
    main()
