"""Fixtures that more than one folder needs; `tests/services.py` starts the servers behind them."""

import os
import sys
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from tests.livekit_service import LiveKit, livekit_server
from tests.services import Postgres, RedisServer, postgres_server, redis_server

# Beside another worker on the same cores, threads that wait for each other by spinning are ten times slower.
# Before torch is imported, which reads it then; for the processes that tests start, too.
if os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# the same examples at every run of CI; on a laptop new ones are looked for
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Name a failure when it happens: a run that is ended by a time limit has no summary."""
    if report.failed and not os.environ.get("PYTEST_XDIST_WORKER"):
        sys.stderr.write(f"\n{report.nodeid} failed ({report.when})\n")


@pytest.fixture(autouse=True)
def _logging_of_its_own() -> Iterator[None]:
    """A command that a test runs in this process sets up logging for the process: not for the next test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One real PostgreSQL for the whole run."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """An empty database of the test's own."""
    return postgres.new_database()


@pytest.fixture(scope="session")
def shared_livekit() -> Iterator[LiveKit]:
    """One real livekit-server for the whole run."""
    with livekit_server() as server:
        yield server


@pytest.fixture
def livekit(shared_livekit: LiveKit) -> Iterator[LiveKit]:
    """The server of the run, running, even where the test stops, kills or pauses it."""
    yield shared_livekit
    if shared_livekit.running():
        shared_livekit.resume()
    else:
        shared_livekit.start()


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """One real Redis for the whole run."""
    with redis_server() as server:
        yield server


@pytest.fixture
def redis(shared_redis: RedisServer) -> Iterator[RedisServer]:
    """The server of the run, running and empty, even where the test before stopped, killed or paused it."""
    shared_redis.empty()
    yield shared_redis
    if shared_redis.running():
        shared_redis.resume()
    else:
        shared_redis.start()
