"""Slots are given out once, the lowest first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from june_tts.fish.kv_pool import KVPool

pytestmark = pytest.mark.unit


def test_the_lowest_free_slot_is_taken_first() -> None:
    pool = KVPool(4)
    assert [pool.take() for _ in range(4)] == [0, 1, 2, 3]
    assert not pool.can_take()
    pool.give_back(2)
    pool.give_back(1)
    assert [pool.take(), pool.take()] == [1, 2]


def test_a_slot_that_is_not_taken_cannot_be_given_back() -> None:
    pool = KVPool(2)
    slot = pool.take()
    pool.give_back(slot)
    for stray in (slot, 1, 7):
        with pytest.raises(ValueError, match=f"slot {stray}"):
            pool.give_back(stray)
    assert pool.free == 2


@given(st.integers(1, 6), st.lists(st.integers(0, 5)))
def test_no_slot_is_lost_or_given_out_twice(count: int, picks: list[int]) -> None:
    pool, held = KVPool(count), list[int]()
    for pick in picks:
        if pick % 2 and held:
            pool.give_back(held.pop(pick % len(held)))
        elif pool.can_take():
            held.append(pool.take())
        assert pool.used == set(held) and pool.free + len(held) == count
        assert len(set(held)) == len(held)
