"""One fake server for a module: the next request must work whatever the last one was."""

from collections.abc import Iterator

import pytest
from tests.fuzz.door import Door, open_door


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    with open_door() as opened:
        yield opened
