"""Phonemes to words, where the phonemiser joins words and where it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from june_tts.engine.owners import NOBODY, owners

pytestmark = pytest.mark.unit

ALONE = {
    "one": "wˈʌn",
    "of": "ˈʌv",
    "the": "ðˈə",
    "men,": "mˈɛn,",
    "has": "hˈæz",
    "it": "ˈɪt",
    "9": "n aɪ n",
    "in": "ˈɪn",
    "a": "ˈeɪ",
}


def alone(word: str) -> str:
    return ALONE[word]


def parts(phonemes: str, words: list[str]) -> dict[str, str]:
    found = owners(phonemes, words, alone)
    return {
        word: "".join(p for p, owner in zip(phonemes, found, strict=True) if owner == index)
        for index, word in enumerate(words)
    }


def test_spaces_tell_where_there_are_as_many_as_words() -> None:
    assert parts("wˈʌn mˈɛn, hæz", ["one", "men,", "has"]) == {"one": "wˈʌn", "men,": "mˈɛn", "has": "hæz"}


def test_words_that_are_spoken_as_one_are_told_apart_by_how_each_sounds_alone() -> None:
    assert parts("wˈʌn ʌvðə mˈɛn, hˌæzɪt.", ["one", "of", "the", "men,", "has", "it"]) == {
        "one": "wˈʌn",
        "of": "ʌv",
        "the": "ðə",
        "men,": "mˈɛn",
        "has": "hˌæz",
        "it": "ɪt",
    }


def test_a_word_that_is_spoken_in_several_has_them_all() -> None:
    assert parts("n aɪ n mˈɛn,", ["9", "men,"]) == {"9": "naɪn", "men,": "mˈɛn"}


def test_a_word_that_sounds_otherwise_alone_has_what_its_neighbours_leave() -> None:
    assert parts("ɪnɐ mˈɛn,", ["in", "a", "men,"]) == {"in": "ɪn", "a": "ɐ", "men,": "mˈɛn"}
    assert parts("zzzz mɛn", ["of", "the", "men,"]) == {"of": "zz", "the": "zz", "men,": "mɛn"}


@given(
    words=st.lists(st.sampled_from(sorted(ALONE)), min_size=1, max_size=12),
    joined=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_every_word_keeps_its_order_whatever_is_joined(words: list[str], joined: list[bool]) -> None:
    text = "".join(
        ALONE[word] + ("" if join else " ") for word, join in zip(words, joined, strict=False)
    ).strip()
    found = [owner for owner in owners(text, words, alone) if owner != NOBODY]
    assert found == sorted(found)
    assert found
    assert set(found) <= set(range(len(words)))
