"""What is kept of voices, and what has to go."""

import numpy as np
import pytest
from tests.fish_fakes import FakePrefix, prompt

from june_tts.fish.prefixes import Prefixes, prefix_key

pytestmark = pytest.mark.unit


def kv(size: int) -> FakePrefix:
    return FakePrefix((1, 2), size)


def test_the_least_recently_used_goes_first() -> None:
    kept = Prefixes(30)
    for key in (b"a", b"b", b"c"):
        assert kept.put(key, kv(10))
    with kept.lease(b"a"):
        pass
    assert kept.put(b"d", kv(10))
    assert [key in kept for key in (b"a", b"b", b"c", b"d")] == [True, False, True, True]
    assert (kept.bytes, len(kept)) == (30, 3)


def test_one_that_is_being_loaded_stays() -> None:
    kept = Prefixes(20)
    kept.put(b"a", kv(10))
    kept.put(b"b", kv(10))
    with kept.lease(b"a"), kept.lease(b"b"):
        assert not kept.put(b"c", kv(10))
    assert kept.put(b"c", kv(10))
    assert (b"a" in kept, kept.bytes) == (False, 20)


def test_one_that_can_never_fit_throws_nothing_out() -> None:
    kept = Prefixes(20)
    kept.put(b"a", kv(20))
    assert not kept.put(b"b", kv(21))
    assert (b"a" in kept, kept.bytes) == (True, 20)


def test_keeping_one_twice_counts_it_once() -> None:
    kept = Prefixes(20)
    assert kept.put(b"a", kv(10)) and kept.put(b"a", kv(10))
    assert (kept.bytes, len(kept)) == (10, 1)
    kept.drop(b"a")
    kept.drop(b"a")
    assert (kept.bytes, len(kept)) == (0, 0)


def test_the_key_tells_columns_and_shapes_apart_and_nothing_else() -> None:
    columns = prompt(8, voice=1, prefix=8)
    other = columns.copy()
    other[2, 7] += 1
    assert prefix_key(columns) == prefix_key(np.asfortranarray(columns))
    assert len({prefix_key(columns), prefix_key(other), prefix_key(columns[:, :7])}) == 3
    assert prefix_key(columns) != prefix_key(columns.reshape(8, -1))
