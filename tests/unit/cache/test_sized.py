"""What is kept in memory: within its bytes, for its time, and no longer than its group."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from june_tts.cache.sized import Sized

pytestmark = pytest.mark.unit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_least_recently_used_goes_first() -> None:
    gone: list[None] = []
    kept: Sized[str] = Sized(10, 60, Clock(), lambda: gone.append(None))
    for key in "abcde":
        kept.put(key, key, 2, "group")
    assert kept.get("a") == "a"
    kept.put("f", "f", 2, "group")
    assert (kept.get("a"), kept.get("b"), len(kept), kept.bytes, len(gone)) == ("a", None, 5, 10, 1)


def test_what_rests_too_long_goes_and_what_is_used_stays() -> None:
    clock = Clock()
    kept: Sized[str] = Sized(100, 10, clock)
    kept.put("a", "a", 1, "a")
    kept.put("b", "b", 1, "b")
    clock.now = 9
    assert kept.get("a") == "a"
    clock.now = 10
    assert (kept.get("a"), kept.get("b"), kept.bytes) == ("a", None, 1)


def test_what_is_larger_than_a_quarter_is_not_kept_and_costs_nobody_a_place() -> None:
    kept: Sized[str] = Sized(100, 10, Clock())
    kept.put("a", "a", 25, "a")
    kept.put("b", "b", 26, "b")
    assert (kept.get("a"), kept.get("b")) == ("a", None)


def test_a_value_that_is_too_large_now_is_not_left_as_it_was() -> None:
    kept: Sized[str] = Sized(100, 10, Clock())
    kept.put("a", "old", 25, "a")
    kept.put("a", "new", 26, "a")
    assert kept.get("a") is None


@given(
    st.lists(st.tuples(st.sampled_from("pgdDt"), st.integers(0, 6), st.integers(1, 30), st.integers(0, 2)))
)
def test_bytes_and_groups_are_those_of_what_is_kept(steps: list[tuple[str, int, int, int]]) -> None:
    clock = Clock()
    kept: Sized[int] = Sized(100, 5, clock)
    groups: dict[int, int] = {}
    sizes: dict[int, int] = {}
    for what, key, size, group in steps:
        if what == "p":
            kept.put(key, key, size, group)
            sizes[key], groups[key] = size, group
        elif what == "g":
            assert kept.get(key) in (None, key)
        elif what == "d":
            kept.drop(key)
            assert kept.get(key) is None
        elif what == "D":
            kept.drop_group(group)
            assert not any(kept.get(key) is not None for key in groups if groups[key] == group)
        else:
            clock.now += 1
        there = [key for key in sizes if kept.get(key) is not None]
        assert kept.bytes == sum(sizes[key] for key in there) <= 100
        assert len(kept) == len(there)
    for group in range(3):
        kept.drop_group(group)
    assert (kept.bytes, len(kept)) == (0, 0)
