"""Phrases in memory, and what decides which of them are kept."""

import hashlib
import random

import pytest

from june_tts.cache.doorkeeper import Doorkeeper
from june_tts.cache.phrases import ENTRY_BYTES, PhraseMemory
from june_tts.types import Phrase

pytestmark = pytest.mark.unit

SIZE = 1000


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def key(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def phrase(number: int = 0, size: int = SIZE) -> Phrase:
    return Phrase(bytes([number % 256]) * size, 1.0)


def memory(entries: int, clock: Clock | None = None) -> PhraseMemory:
    return PhraseMemory(most_bytes=entries * (SIZE + ENTRY_BYTES), seconds=10, clock=clock or Clock())


def test_what_was_not_asked_for_longest_makes_room() -> None:
    kept = memory(3)
    for number in range(3):
        assert kept.put(key(number), phrase(number), "joe")
    kept.get(key(0))
    kept.put(key(3), phrase(3), "joe")
    assert [kept.get(key(number)) is not None for number in range(4)] == [True, False, True, True]
    assert kept.bytes == 3 * (SIZE + ENTRY_BYTES)


def test_what_has_no_room_drives_nobody_out() -> None:
    kept = memory(2)
    kept.put(key(0), phrase(), "joe")
    assert not kept.put(key(1), phrase(size=3 * SIZE), "joe")
    assert kept.get(key(0)) is not None
    assert len(kept) == 1


def test_a_phrase_goes_after_its_time() -> None:
    clock = Clock()
    kept = memory(2, clock)
    kept.put(key(0), phrase(), "joe")
    clock.now = 10.0
    assert kept.get(key(0)) is not None
    clock.now = 10.1
    assert kept.get(key(0)) is None
    assert kept.bytes == 0


def test_a_pinned_phrase_neither_makes_room_nor_goes_until_it_is_unpinned() -> None:
    clock = Clock()
    kept = memory(2, clock)
    kept.put(key(0), phrase(), "joe", pinned=True)
    kept.put(key(1), phrase(), "joe", pinned=True)
    clock.now = 100.0
    assert not kept.put(key(2), phrase(), "joe")
    assert kept.get(key(0)) is not None
    kept.unpin(but={key(0)})
    assert kept.put(key(2), phrase(), "joe")
    assert kept.get(key(0)) is not None
    assert kept.get(key(1)) is None


def test_a_voice_is_forgotten_with_all_that_it_spoke() -> None:
    kept = memory(3)
    kept.put(key(0), phrase(), "ada", pinned=True)
    kept.put(key(1), phrase(), "ada")
    kept.put(key(2), phrase(), "joe")
    assert kept.forget("ada")
    assert not kept.forget("ada")
    assert [kept.get(key(number)) is not None for number in range(3)] == [False, False, True]
    assert kept.bytes == SIZE + ENTRY_BYTES


def test_bytes_are_those_of_what_is_there_whatever_happens() -> None:
    draw, kept, clock = random.Random(7), memory(8), Clock()
    for _ in range(3000):
        number, clock.now = draw.randrange(20), clock.now + draw.random()
        if draw.random() < 0.6:
            kept.put(
                key(number),
                phrase(size=draw.randrange(3 * SIZE)),
                str(number % 3),
                pinned=draw.random() < 0.2,
            )
        elif draw.random() < 0.1:
            kept.forget(str(number % 3))
        elif draw.random() < 0.1:
            kept.unpin(but={key(number)})
        else:
            kept.get(key(number))
        assert kept.bytes <= 8 * (SIZE + ENTRY_BYTES)
    for voice in "012":
        kept.forget(voice)
    assert (len(kept), kept.bytes) == (0, 0)


def test_the_second_time_is_known_and_the_first_is_not() -> None:
    door = Doorkeeper(1000)
    assert not any(door.seen(key(number)) for number in range(500))
    assert all(door.seen(key(number)) for number in range(500))


def test_what_was_seen_long_ago_is_forgotten() -> None:
    door = Doorkeeper(100)
    door.seen(key(0))
    strangers = [door.seen(key(number)) for number in range(1, 202)]
    assert not door.seen(key(0))
    assert sum(strangers) <= 3
    assert door.seen(key(201))


def test_few_strangers_are_taken_for_somebody_seen_before() -> None:
    door = Doorkeeper(2000)
    for number in range(2000):
        door.seen(key(number))
    fresh = Doorkeeper(2000)
    fresh._new, fresh._old = door._new, door._old
    wrong = sum(fresh.seen(key(number)) for number in range(10_000, 11_000))
    assert wrong <= 15
