"""How the server ends: what plays finishes, what goes on for too long is told so, nothing stays behind."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.eleven_socket import STREAM, Talk, heard
from tests.june_process import FAKE, June, alive, becomes, june
from tests.live_server import Client, connected
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

pytestmark = pytest.mark.e2e

STEP = 0.04
"""The fake engine is twice as fast as speech."""
SHORT = "Twenty-nine characters, dear."
SHORT_SECONDS = 0.06 * len(SHORT)
LONG = " ".join([SHORT] * 40)
DRAIN_SECONDS = 2.0
PCM_SECOND = 48_000


async def http(server: June, text: str) -> tuple[int, int, bool]:
    """Status, bytes, and whether the reply came to its end."""
    body = {"input": text, "voice": "fake", "response_format": "pcm"}
    got = 0
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("POST", f"{server.url}/v1/audio/speech", json=body) as reply,
    ):
        try:
            async for part in reply.aiter_raw():
                got += len(part)
        except httpx.RemoteProtocolError:
            return reply.status_code, got, False
        return reply.status_code, got, True


async def fish(server: June, text: str) -> tuple[int, dict[str, Any], int | None]:
    """Bytes of audio, the last message, and the code of a close that came by itself."""
    async with connected(server.live) as client:
        await client.say(text)
        audio, last = await client.turn()
        code = await closed(client) if last["reason"] == "error" else None
        return sum(len(part) for part in audio), last, code


async def closed(client: Client) -> int | None:
    try:
        await client.next()
    except ConnectionClosed as end:
        return end.rcvd.code if end.rcvd else None
    return None


async def eleven(server: June, text: str) -> tuple[int, dict[str, Any], int]:
    """Bytes of audio, the last message, and the close code."""
    where = server.url.replace("http", "ws", 1)
    path = f"/v1/text-to-speech/fake/{STREAM}?output_format=pcm_24000"
    async with connect(where + path) as connection:
        talk = Talk(connection)
        await talk.send(text=text + " ")
        await talk.send(text="")
        messages, code, _ = await talk.closed()
        return len(heard(messages)), messages[-1], code


@pytest.mark.parametrize("workers", [1, 2])
async def test_sigterm_lets_what_plays_finish_and_tells_the_rest_why_it_ends(
    tmp_path: Path, workers: int
) -> None:
    settings = {"JUNE_FAKE_STEP_SECONDS": str(STEP), "JUNE_DRAIN_SECONDS": str(DRAIN_SECONDS)}
    with june(tmp_path, workers=workers, **settings) as server:
        processes = server.processes()
        streams = [
            asyncio.ensure_future(
                asyncio.gather(http(server, text), fish(server, text), eleven(server, text))
            )
            for text in (SHORT, LONG)
        ]
        await until_streaming(server, 6)
        began = time.monotonic()
        server.send(signal.SIGTERM)
        await asyncio.to_thread(becomes, lambda: refused(server), 1.0)
        short_http, short_fish, short_eleven = await streams[0]
        long_http, long_fish, long_eleven = await streams[1]
        took = time.monotonic() - began
        whole = round(SHORT_SECONDS * PCM_SECOND)
        assert short_http == (200, pytest.approx(whole, rel=0.05), True)
        assert short_fish[0] == pytest.approx(whole, rel=0.05) and short_fish[1]["reason"] == "stop"
        assert short_eleven[0] == pytest.approx(whole, rel=0.05) and short_eleven[2] == 1000

        assert (long_http[0], long_http[2]) == (200, False) and long_http[1] > whole
        assert (long_fish[1]["reason"], long_fish[1]["code"], long_fish[2]) == ("error", "overloaded", 1013)
        assert "stopping" in str(long_fish[1]["message"])
        assert "stopping" in str(long_eleven[1]) and long_eleven[2] == 1013
        assert DRAIN_SECONDS - 0.1 < took < DRAIN_SECONDS + 3
        assert await asyncio.to_thread(server.ended) == 0, server.said()
        becomes(lambda: not alive(processes))
        assert "Traceback" not in server.said()


async def until_streaming(server: June, count: int) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(300):
            text = (await client.get(f"{server.url}/metrics")).text
            if any(line == f"tts_active_requests {count}.0" for line in text.splitlines()):
                return
            await asyncio.sleep(0.01)
    raise AssertionError(f"{count} streams did not begin")


def refused(server: June) -> bool:
    try:
        httpx.get(f"{server.url}/health/live")
    except httpx.ConnectError:
        return True
    except (httpx.ReadError, httpx.RemoteProtocolError):
        return False  # the kernel had taken it when the port was closed; the next one is refused
    return False


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_signal_ends_everything_at_once(tmp_path: Path, workers: int) -> None:
    with june(tmp_path, workers=workers, JUNE_FAKE_STEP_SECONDS=str(STEP), JUNE_DRAIN_SECONDS="60") as server:
        processes = server.processes()
        body = {"input": LONG, "voice": "fake", "response_format": "pcm"}
        with httpx.stream("POST", f"{server.url}/v1/audio/speech", json=body, timeout=30) as reply:
            next(reply.iter_raw())
            server.send(signal.SIGTERM)
            becomes(lambda: refused(server))
            server.send(signal.SIGTERM)
            assert server.ended(5) == 1
        becomes(lambda: not alive(processes), 5)


def test_it_says_where_it_is_when_the_port_is_open_and_not_before(tmp_path: Path) -> None:
    environ = {key: value for key, value in os.environ.items() if not key.startswith("JUNE_")}
    environ |= FAKE | {"JUNE_DATA_DIR": str(tmp_path), "WRAPPER_PORT": "0"}
    command = [sys.executable, "-m", "june_tts.cli.main", "serve"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = next(line for line in server.stdout if "Ctrl-C" in line)
        port = int(said.partition("127.0.0.1:")[2].partition("/")[0])
        socket.create_connection(("127.0.0.1", port), 5).close()
        server.terminate()
        assert server.wait(30) == 0
