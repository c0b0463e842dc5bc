"""Texts that differ, fit and come back with their seed."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from june_tts.load.texts import SHORTEST, Texts

pytestmark = pytest.mark.unit


@settings(max_examples=30)
@given(st.integers(SHORTEST, 3000), st.integers())
def test_a_text_is_about_as_long_as_asked_and_made_of_sentences(chars: int, seed: int) -> None:
    text = Texts(seed).next(chars)
    assert abs(len(text) - chars) <= max(20, 0.06 * chars)  # two words, since sentences are whole
    assert re.fullmatch(r"([A-Z][a-zA-Z, ]+\.)( [A-Z][a-zA-Z, ]+\.)*", text)


@pytest.mark.parametrize("chars", [SHORTEST, 20, 200])
def test_no_text_comes_twice(chars: int) -> None:
    texts = Texts(1)
    assert len({texts.next(chars) for _ in range(1500)}) == 1500


def test_the_same_seed_gives_the_same_texts_and_another_seed_others() -> None:
    def ten(seed: int) -> list[str]:
        texts = Texts(seed)
        return [texts.next(200) for _ in range(10)]

    assert ten(7) == ten(7)
    assert not set(ten(7)) & set(ten(8))


def test_same_text_repeats_one_text_of_each_length() -> None:
    texts = Texts(1, same=True)
    short, long = texts.next(20), texts.next(200)
    assert [texts.next(20), texts.next(200), texts.next(20)] == [short, long, short]
    assert short != long
