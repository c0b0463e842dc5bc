"""A real livekit-server for the tests, on free ports of this machine alone."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from tests.services import free_port, missing

# The newest that `go install` takes: from 1.13.6 on its module has replace lines, which that refuses.
VERSION = "v1.13.5"
PACKAGE = f"github.com/livekit/livekit-server/cmd/server@{VERSION}"
# two to three minutes of two cores at the first time; after that Go's own cache has it
BUILD_SECONDS = 900
START_SECONDS = 20
STOP_SECONDS = 5

KEY = "devkey"
# not the six letters of `--dev`: PyJWT warns of a secret under 32 bytes, and warnings are errors here
SECRET = "secret-of-the-tests-and-of-nothing-else"

# Without stun_servers the clients are told to ask public ones, and wait for them where there is no internet.
CONFIG = """
port: {http}
bind_addresses: [127.0.0.1]
keys: {{{key}: {secret}}}
rtc:
  node_ip: 127.0.0.1
  use_external_ip: false
  tcp_port: {tcp}
  udp_port: {udp}
  stun_servers: ["127.0.0.1:{udp}"]
logging: {{level: info}}
"""


class LiveKit:
    """A livekit-server that can be stopped, killed, paused and started again where it was."""

    key = KEY
    secret = SECRET

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._log = folder / "log"
        self._port = free_port()
        self._config = CONFIG.format(
            http=self._port, tcp=free_port(), udp=free_port(), key=KEY, secret=SECRET
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What LIVEKIT_URL takes; clients connect to it."""
        return f"ws://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        return self._running().pid

    def start(self) -> None:
        """Ready when it returns; on the same ports each time."""
        with self._log.open("a") as out:
            self._process = subprocess.Popen(
                [self._program, "--config-body", self._config], stdout=out, stderr=out
            )
        end = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"livekit-server did not start: {self.log()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """As an operator stops it: it says goodbye to the participants, and waits a little for them to go."""
        process = self._running()
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None

    def kill(self) -> None:
        """A crash: nobody is told."""
        process = self._running()
        process.kill()
        process.wait()
        self._process = None

    def pause(self) -> None:
        """As a network cut: its sockets stay open and say nothing until `resume`."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def running(self) -> bool:
        return self._process is not None

    def answers(self, seconds: float = 1.0) -> bool:
        try:
            with urllib.request.urlopen(self.url.replace("ws", "http", 1), timeout=seconds) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        """However the test left it."""
        if self._process is not None:
            self.kill()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("livekit-server is not running")
        return self._process


@contextmanager
def livekit_server() -> Iterator[LiveKit]:
    program = livekit_program()
    folder = Path(tempfile.mkdtemp(prefix="june-livekit-"))
    server = LiveKit(program, folder)
    try:
        server.start()
        yield server
    finally:
        server.close()
        shutil.rmtree(folder)


def livekit_program() -> Path:
    """Built at the first use into `.bin` (which git ignores); `LIVEKIT_SERVER` names another one."""
    named = os.environ.get("LIVEKIT_SERVER")
    if named:
        return Path(named)
    folder = Path(__file__).parents[1] / ".bin" / f"livekit-server-{VERSION}"
    # several workers of one run ask for it: one builds, the others wait
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock", timeout=BUILD_SECONDS):
        if not (folder / "server").exists():
            _build(folder)
    return folder / "server"


def _build(folder: Path) -> None:
    go = shutil.which("go")
    if go is None:
        missing(f"Go (to build livekit-server {VERSION})")
    assert go is not None
    done = subprocess.run(
        [go, "install", PACKAGE],
        env=os.environ | {"GOBIN": str(folder)},
        cwd=tempfile.gettempdir(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=BUILD_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(f"go install {PACKAGE}: {done.stdout.decode(errors='replace')[-2000:]}")
