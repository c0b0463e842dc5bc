"""Starts real servers for the tests, each on a free port with a folder to throw away.

A missing program skips the test on a laptop and fails it where CI=true: there the tests must have run.
"""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def missing(what: str) -> None:
    """Skip or, in CI, fail the test that needs `what`."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is not installed, and CI must not skip")
    pytest.skip(f"{what} is not installed")


class Postgres:
    """A PostgreSQL server that can be stopped and started again; psql-free, every database new."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._numbers = itertools.count()
        self.port = free_port()
        self._run("initdb", "-D", str(folder / "db"), "-A", "trust", "-U", "june", "--no-sync")

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://june@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._control("start", "-w", "-o", options, "-l", str(self._folder / "log"))

    def stop(self, mode: str = "fast") -> None:
        """`mode` immediate plays a crash."""
        self._control("stop", "-m", mode)

    def running(self) -> bool:
        return (self._folder / "db" / "postmaster.pid").exists()

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"test_{next(self._numbers)}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "june", name)
        return self.url(name)

    def _control(self, command: str, *options: str) -> None:
        self._run("pg_ctl", command, "-D", str(self._folder / "db"), *options)

    def _run(self, program: str, *options: str) -> None:
        # PostgreSQL refuses to run as root
        become = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*become, str(self._programs / program), *options]
        # to a file and not a pipe: the server inherits it and would hold a pipe open
        with (self._folder / "output").open("w+") as output:
            done = subprocess.run(command, stdout=output, stderr=output, cwd=self._folder, timeout=60)
            output.seek(0)
            if done.returncode:
                raise RuntimeError(f"{program}: {output.read()}")


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    programs = _postgres_programs()
    if programs is None:
        missing("PostgreSQL (postgresql-15)")
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="june-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        server = Postgres(programs, folder)
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder)


class RedisServer:
    """A Redis server that can be stopped, killed, frozen and started again; it keeps nothing on disk."""

    def __init__(self, program: str, folder: Path, *, password: str = "") -> None:
        self._program = program
        self._folder = folder
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        user = f":{self._password}@" if self._password else ""
        return f"redis://{user}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Returns when it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        options += ["--requirepass", self._password] if self._password else []
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, *options], stdout=log, stderr=log, cwd=self._folder
            )
        end = time.monotonic() + _REDIS_SECONDS
        while time.monotonic() < end:
            try:
                return self.command("PING")
            except OSError:
                time.sleep(0.01)
        raise RuntimeError(f"redis-server: {(self._folder / 'redis.log').read_text()}")

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """It takes connections and answers nothing."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def running(self) -> bool:
        return self._process is not None

    def empty(self) -> None:
        self.command("FLUSHALL")

    def command(self, *words: str) -> None:
        """Have a command done. Raises: OSError."""
        lines = [f"AUTH {self._password}"] if self._password else []
        with socket.create_connection(("127.0.0.1", self.port), timeout=_REDIS_SECONDS) as talk:
            for line in (*lines, " ".join(words)):
                talk.sendall(f"{line}\r\n".encode())
                if not (answer := talk.recv(4096)).startswith((b"+", b":", b"$")):
                    raise OSError(f"{words[0]}: {answer.decode()}")

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "Redis is not running"
        return self._process

    def _end(self, how: signal.Signals) -> None:
        process = self._running()
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        process.wait(_REDIS_SECONDS)
        self._process = None


_REDIS_SECONDS = 10.0


@contextmanager
def redis_server(*, password: str = "") -> Iterator[RedisServer]:
    program = shutil.which("redis-server")
    if program is None:
        missing("Redis (redis-server)")
    assert program is not None
    folder = Path(tempfile.mkdtemp(prefix="june-redis-"))
    try:
        server = RedisServer(program, folder, password=password)
        server.start()
        try:
            yield server
        finally:
            if server.running():
                server.kill()
    finally:
        shutil.rmtree(folder)


def _postgres_programs() -> Path | None:
    """Debian keeps them out of PATH, one folder per version; the newest wins."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    found = [path for path in reversed(versions) if (path / "initdb").exists()]
    on_path = shutil.which("initdb")
    return found[0] if found else Path(on_path).parent if on_path else None
