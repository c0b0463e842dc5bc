"""Somebody sets the clock, an hour ahead, a year back, in the middle of things: deadlines hold."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests.faults.clocked import wrong_by
from tests.faults.ledger import ROUNDS, Ledger, Line
from tests.faults.listeners import listening
from tests.faults.server import FAKE, Server, served
from tests.faults.traffic import SPEECH
from websockets.asyncio.client import connect

pytestmark = pytest.mark.faults

BODY_SECONDS, IDLE_SECONDS = 1.0, 1.5
HOUR = 3600.0
JUMPS = (HOUR, -HOUR, 365 * 24 * HOUR, -365 * 24 * HOUR)
STREAMS = 3
TEXT = "The train leaves the station at nine, and the children look out of the window. " * 2
MARGIN_SECONDS = 3.0


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("clock") / "wrong_by"
    wrong_by(file, 0.0)
    return file


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, clock: Path) -> Iterator[Server]:
    short = {"JUNE_BODY_TIMEOUT_SECONDS": str(BODY_SECONDS), "JUNE_LIVE_IDLE_SECONDS": str(IDLE_SECONDS)}
    short |= {"JUNE_QUEUE_SECONDS": "20"}
    program = ("-m", "tests.faults.clocked", str(clock))
    with served(tmp_path_factory.mktemp("clocked"), program, **FAKE, **short) as made:
        yield made


async def test_streams_play_on_and_waits_end_when_they_should_whatever_the_clock_says(
    server: Server, clock: Path, ledger: Ledger
) -> None:
    line = ledger.line("clock set by an hour and a year, both ways")
    for _ in range(ROUNDS or 1):
        line.rounds += 1
        for jump in JUMPS:
            async with listening(server.address, "fake", TEXT, STREAMS) as streams:
                late = [asyncio.create_task(wait(server)) for wait in (_slow_body, _idle_socket)]
                await asyncio.sleep(0.2)
                wrong_by(clock, jump)
                ends = [await each.end() for each in streams]
                await _speaks_within_its_deadline(server, line)
                body, socket = await asyncio.gather(*late)
            wrong_by(clock, 0.0)
            line.offered += len(ends) + len(late)
            line.answered += ends.count("whole") + len(late)
            line.lost += len(ends) - ends.count("whole")
            assert BODY_SECONDS - 0.3 < body < BODY_SECONDS + MARGIN_SECONDS
            assert IDLE_SECONDS - 0.3 < socket < IDLE_SECONDS + MARGIN_SECONDS
    assert line.lost == 0


def test_health_counts_its_uptime_by_a_clock_that_nobody_sets(server: Server, clock: Path) -> None:
    wrong_by(clock, -HOUR)
    health = httpx.get(f"{server.address}/health").json()
    wrong_by(clock, 0.0)
    assert 0 <= health["uptime_seconds"] < HOUR


async def _speaks_within_its_deadline(server: Server, line: Line) -> None:
    line.offered += 1
    async with httpx.AsyncClient(base_url=server.address, timeout=20) as http:
        body = {"input": "Hello.", "voice": "fake", "response_format": "pcm"}
        reply = await http.post(SPEECH, json=body, headers={"X-Request-Deadline-Ms": "5000"})
    assert reply.status_code == 200, reply.text
    line.answered += 1


async def _slow_body(server: Server) -> float:
    """Seconds until a body that does not come is no longer waited for."""
    there = urlsplit(server.address)
    reader, writer = await asyncio.open_connection(there.hostname, there.port)
    began = time.monotonic()
    writer.write(b"POST /v1/audio/speech HTTP/1.1\r\nHost: june\r\nContent-Length: 100\r\n\r\n{")
    reply = await asyncio.wait_for(reader.read(1000), 20)
    assert reply.startswith(b"HTTP/1.1 408 "), reply
    writer.close()
    return time.monotonic() - began


async def _idle_socket(server: Server) -> float:
    """Seconds until a WebSocket on which nothing happens is closed."""
    began = time.monotonic()
    async with connect(server.address.replace("http", "ws") + "/v1/tts/live") as socket:
        await asyncio.wait_for(socket.wait_closed(), 20)
    return time.monotonic() - began
