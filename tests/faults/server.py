"""A real `june-tts serve` process to break things around, and what it says of itself."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from tests.e2e.server_process import gauge
from tests.fish_vocabulary import write_folder
from tests.services import free_port

START_SECONDS = 60.0
STOP_SECONDS = 15.0
FAKE = {"JUNE_ENGINES": "fake", "JUNE_DEFAULT_VOICE": "fake"}
SERVE = ("-m", "june_tts.cli.main", "serve")
SHIM = """#!/bin/sh
# stands in for Python where the server starts the engine's process: the real one, over a model of hashes
[ "$2" = june_tts.fish.worker ] && exec {python} -m tests.fish_worker {options} "$3"
exec {python} "$@"
"""


@dataclass(frozen=True)
class Server:
    address: str
    process: psutil.Process
    log_file: Path

    def metric(self, name: str) -> float:
        return gauge(httpx.get(f"{self.address}/metrics", timeout=10).text, name)

    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def rss_mb(self) -> float:
        return float(self.process.memory_info().rss) / 2**20

    @property
    def handles(self) -> int:
        return int(self.process.num_fds())

    def engine(self) -> psutil.Process:
        """The process of the engine fish."""
        found = [p for p in self.process.children(recursive=True) if "tests.fish_worker" in p.cmdline()]
        ends = [line for line in self.log().splitlines() if "the engine ended" in line]
        assert len(found) == 1, f"{found} after {ends}"
        return found[0]


@contextmanager
def served(folder: Path, program: tuple[str, ...] = SERVE, **settings: str) -> Iterator[Server]:
    """Run the server with these settings until the context is left."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("JUNE_")}
    own = {"JUNE_DATA_DIR": str(folder), "WRAPPER_PORT": str(port)}
    log_file = folder / "server.log"
    with log_file.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, *program], env=inherited | own | settings, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            _wait(port, process, log_file)
            yield Server(f"http://127.0.0.1:{port}", psutil.Process(process.pid), log_file)
        finally:
            _stop(process)


@contextmanager
def served_by_fish(folder: Path, *worker: str, **settings: str) -> Iterator[Server]:
    """The same with the voices `fish`, which clones, and `fake`. `worker`: options of tests.fish_worker."""
    (folder / "fish").mkdir(parents=True)
    write_folder(folder / "fish")
    shim = folder / "python"
    shim.write_text(SHIM.format(python=sys.executable, options=" ".join(worker)))
    shim.chmod(0o755)
    program = ("-m", "tests.faults.shimmed", str(shim))
    with served(folder, program, **FAKE, LLAMA_CHECKPOINT_PATH=str(folder / "fish"), **settings) as server:
        yield server


def _wait(port: int, process: subprocess.Popen[bytes], log_file: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"the server did not become ready (exit {process.poll()}):\n{log_file.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def until(true: Any, seconds: float = 20.0) -> float:
    """Wait until a condition holds; the seconds that it took."""
    begin = time.monotonic()
    while not true():
        assert time.monotonic() - begin < seconds, f"not so within {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - begin
