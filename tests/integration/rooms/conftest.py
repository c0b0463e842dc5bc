"""A room of the test's own."""

from uuid import uuid4

import pytest


@pytest.fixture
def room() -> str:
    return f"room-{uuid4().hex[:8]}"
