"""One server that leans on PostgreSQL and Redis through proxies, and the table of what the faults cost."""

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.faults.leaning import DATABASE_SECONDS, Leaning
from tests.faults.ledger import Ledger
from tests.faults.proxy import proxy_to
from tests.faults.server import served_by_fish
from tests.services import postgres_server, redis_server

LEDGER = pytest.StashKey[Ledger]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEDGER] = Ledger()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        ledger = item.config.stash[LEDGER]
        ledger.settle(report.passed)
        # after each: fifty rounds of all take half an hour, and the last may be the one that fails
        if path := os.environ.get("FAULT_JSON"):
            ledger.write(Path(path))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    ledger = config.stash[LEDGER]
    if ledger.lines:
        terminalreporter.section("faults: what each was and what it cost")
        for row in ledger.table():
            terminalreporter.write_line(row)


@pytest.fixture(scope="session")
def ledger(request: pytest.FixtureRequest) -> Ledger:
    return request.config.stash[LEDGER]


@pytest.fixture(scope="package")
def leaning_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leaning]:
    """PostgreSQL and Redis of its own: they are stopped in the middle of things."""
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server())
        redis = stack.enter_context(redis_server())
        database = stack.enter_context(proxy_to(postgres.port))
        shared = stack.enter_context(proxy_to(redis.port))
        settings = {
            "DATABASE_URL": postgres.new_database().replace(f":{postgres.port}/", f":{database.port}/"),
            "REDIS_URL": redis.url.replace(f":{redis.port}/", f":{shared.port}/"),
            "JUNE_DATABASE_SECONDS": str(DATABASE_SECONDS),
            # no speech is refused for want of a place: what is refused here, the fault has refused
            "JUNE_QUEUE_SECONDS": "20",
        }
        folder = tmp_path_factory.mktemp("leaning")
        server = stack.enter_context(served_by_fish(folder, **settings))
        yield Leaning(server, postgres, database, redis, shared)


@pytest.fixture
def leaning(leaning_server: Leaning) -> Iterator[Leaning]:
    """With everything there, before and after."""
    yield leaning_server
    leaning_server.database.open()
    leaning_server.redis.open()
    if not leaning_server.postgres.running():
        leaning_server.postgres.start()
    if not leaning_server.redis_server.running():
        leaning_server.redis_server.start()
    leaning_server.redis_server.resume()
