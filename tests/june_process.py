"""`june-tts serve` as processes, with the fake engine: to be watched, sent signals, and killed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

START_SECONDS = 60.0
END_SECONDS = 30.0
FAKE = {"JUNE_ENGINES": "fake", "JUNE_DEFAULT_VOICE": "fake"}


@dataclass(frozen=True)
class June:
    url: str
    """http://host:port"""
    popen: "subprocess.Popen[bytes]"
    log: Path

    @property
    def live(self) -> str:
        return self.url.replace("http", "ws", 1) + "/v1/tts/live"

    def send(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def ended(self, seconds: float = END_SECONDS) -> int:
        """Its exit status, once it has ended."""
        return self.popen.wait(seconds)

    def processes(self) -> list[psutil.Process]:
        """The one that was started first, then those that it started, the oldest first."""
        first = psutil.Process(self.popen.pid)
        return [first, *sorted(first.children(recursive=True), key=lambda one: one.create_time())]

    def running(self, module: str) -> list[psutil.Process]:
        """Those of several workers that run this module."""
        return [one for one in self.processes() if module in " ".join(_command(one))]

    def speak(self, text: str = "Hello.", **fields: Any) -> httpx.Response:
        body = {"input": text, "voice": "fake", "response_format": "pcm", **fields}
        return httpx.post(f"{self.url}/v1/audio/speech", json=body, timeout=30)

    def metrics(self) -> str:
        return httpx.get(f"{self.url}/metrics", timeout=10).text

    def said(self) -> str:
        return self.log.read_text()


@contextmanager
def june(folder: Path, *, workers: int = 1, **settings: str) -> Iterator[June]:
    """Started, and ended by force where it did not end before."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("JUNE_")}
    own = {"JUNE_DATA_DIR": str(folder), "WRAPPER_PORT": str(port), "JUNE_WORKERS": str(workers), **FAKE}
    log = folder / "server.log"
    with log.open("wb") as out:
        command = [sys.executable, "-m", "june_tts.cli.main", "serve"]
        popen = subprocess.Popen(command, env=inherited | own | settings, stdout=out, stderr=out)
    server = June(f"http://127.0.0.1:{port}", popen, log)
    started = [psutil.Process(popen.pid)]
    try:
        becomes(lambda: popen.poll() is not None or _answers(server), START_SECONDS, server)
        assert popen.poll() is None, f"exit {popen.poll()}: {server.said()}"
        started = server.processes()
        yield server
    finally:
        for process in started:
            if process.is_running():
                process.kill()
        popen.wait(END_SECONDS)


def becomes(true: Callable[[], Any], seconds: float = 10.0, server: June | None = None) -> None:
    """Wait until a condition holds; fails where it does not in time."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, server.said() if server else "it did not come to that"
        time.sleep(0.02)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def _answers(server: June) -> bool:
    try:
        return httpx.get(f"{server.url}/health/ready").is_success and "Ctrl-C" in server.said()
    except httpx.TransportError:
        return False


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
