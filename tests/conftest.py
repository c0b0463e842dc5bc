"""Fixtures that more than one folder needs; `tests/services.py` starts the servers behind them."""

from collections.abc import Iterator

import pytest

from tests.services import Postgres, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One real PostgreSQL for the whole run."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """An empty database of the test's own."""
    return postgres.new_database()
