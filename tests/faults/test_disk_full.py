"""The disk of an SQLite library is full: uploads are refused with the reason, and nothing is lost."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from tests.faults.ledger import ROUNDS, Ledger
from tests.faults.server import FAKE, SERVE, Server, served
from tests.faults.small_disk import left, small_disk
from tests.faults.traffic import Traffic, traffic_to, works

pytestmark = pytest.mark.faults

DISK = "12m"
"""SQLite's log of changes grows to 4 MB before it is used again."""
LEFT_BYTES = 400_000
"""Three recordings."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", DISK) as folder:
        yield folder


@pytest.fixture
def server(tmp_path: Path, disk: Path) -> Iterator[Server]:
    settings = FAKE | {"JUNE_DATA_DIR": str(disk)}
    with served(tmp_path / "logs", SERVE, **settings) as made:
        yield made


async def test_uploads_are_refused_with_the_reason_and_the_library_is_intact(
    server: Server, disk: Path, ledger: Ledger
) -> None:
    line = ledger.line("disk of SQLite full")
    async with traffic_to(server.address, line, prefix="full") as traffic:
        for number in range(ROUNDS or 3):
            line.rounds += 1
            (disk / "ballast").write_bytes(bytes(max(0, left(disk) - LEFT_BYTES)))
            said = await _fill(traffic, 1000 * number)
            assert "no room left on its disk" in said, said
            before = set(traffic.there)
            await traffic.speak("fake")
            await traffic.check()
            (disk / "ballast").unlink()
            last = 1000 * number + 999
            line.recovered(await works(partial(traffic.upload, f"full{last}", last)))
            assert before <= set(traffic.there)
            await traffic.check()
            await traffic.tidy()
            traffic.there.clear()
            traffic.unknown.clear()
            _shrink(disk / "june.db")
        assert line.lost == 0 and line.refused and traffic.silent["fake"] == 0
    check = sqlite3.connect(disk / "june.db").execute("PRAGMA integrity_check").fetchall()
    assert check == [("ok",)]


def _shrink(database: Path) -> None:
    """As an operator does: SQLite keeps the room of what was removed, each round would begin with less."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _fill(traffic: Traffic, first: int) -> str:
    """Upload until there is no room; what is said then."""
    for number in range(first, first + 900):
        if not await traffic.upload(f"full{number}", number):
            return traffic.refusal
    raise AssertionError("the disk should be full by now")
