"""A real `june-tts serve` process for the tests of the page."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

START_SECONDS = 60.0


@contextmanager
def serving(data_dir: Path, **settings: str) -> Iterator[str]:
    """Run the server with these settings and the joe voice; yields its address, `http://127.0.0.1:port`."""
    port = _free_port()
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("JUNE_")}
    own = {"JUNE_DATA_DIR": str(data_dir), "JUNE_ENGINES": "piper", "WRAPPER_PORT": str(port)}
    log = data_dir / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "june_tts.cli.main", "serve"],
            env=inherited | own | settings,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(f"http://127.0.0.1:{port}", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{address}/health/ready").is_success:
                return
        except httpx.TransportError:
            pass  # it does not listen yet
        time.sleep(0.1)
    raise RuntimeError(f"the server did not become ready (exit {process.poll()}):\n{log.read_text()}")
