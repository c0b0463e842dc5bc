"""How long a text is when spoken, and where it is cut."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from june_tts.fish.spoken import (
    FRAMES_PER_SECOND,
    LEAD,
    SHORTEST,
    cut,
    fits,
    frames_for,
    from_speech,
    joined,
    letters,
    natural_cut,
)

pytestmark = pytest.mark.unit

TEXTS = st.text(max_size=120) | st.lists(
    st.sampled_from(
        [
            "word",
            "a",
            " ",
            ". ",
            ", ",
            "\u4eca\u65e5",
            "\u3002",
            "2026",
            "a\u0301",
            "\n",
            "\U0001f469\u200d\U0001f52c",
        ]
    ),
    max_size=60,
).map("".join)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("The quick brown fox jumps over the lazy dog and runs into the woods, far away from here.", 6.3),
        ("\u4eca\u65e5\u306f\u826f\u3044\u5929\u6c17\u3067\u3059\u306d", 2.4),  # ten syllables
        ("2026", 1.5),
        ("Yes.", 0.7),
    ],
)
def test_an_estimate_is_an_ordinary_pace(text: str, seconds: float) -> None:
    assert frames_for(text) / FRAMES_PER_SECOND == pytest.approx(seconds, abs=0.15)


@pytest.mark.parametrize(
    ("text", "limit", "head"),
    [
        ("One two three. Four five six. Seven eight nine.", 32, "One two three. Four five six."),
        ("One two three, four five six seven eight", 30, "One two three,"),
        ("One two three four five six seven eight", 30, "One two three four five six"),
        ("The number Pi is 3.14159265358979 they say at school", 34, "The number Pi is"),
        ('He said "Wait for it." Then he left us there.', 30, 'He said "Wait for it."'),
        (
            "\u4eca\u65e5\u306f\u826f\u3044\u3002\u660e\u65e5\u3082\u826f\u3044\u5929\u6c17",
            24,
            "\u4eca\u65e5\u306f\u826f\u3044\u3002",
        ),
        ("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", 30, "abcdefghijklmnopqrstuvwxyzabcd"),
        ("It fits.", 20, "It fits."),
    ],
)
def test_a_text_is_cut_after_a_sentence_else_a_clause_else_a_word(text: str, limit: int, head: str) -> None:
    assert text[: cut(text, limit)].strip() == head


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("One two three, four five six seven eight", "One two three,"),
        ("One two three four five six seven eight", ""),
        ("One, two three four five six seven eight", ""),  # "One," alone would sound torn
        ("One two three.", "One two three."),
    ],
)
def test_a_natural_cut_is_where_a_speaker_pauses(text: str, head: str) -> None:
    assert text[: natural_cut(text, 30)] == head


def test_no_stub_is_left_behind_a_cut() -> None:
    text = "One two three four five six seven end."
    assert text[: cut(text, len(text) - 1)].strip() == "One two three four five six"


@given(TEXTS, st.integers(20, 60))
def test_a_cut_moves_on_and_fits(text: str, limit: int) -> None:
    at = cut(text, limit)
    assert fits(text[:at], limit) and letters(text[:at]) <= limit
    if not fits(text, limit):
        assert 0 < at < len(text)
        assert letters(text[at:]) >= SHORTEST - 3  # a digit counts four


def test_no_accent_is_torn_from_its_letter() -> None:
    text = "e\u0301" * 40
    for limit in range(20, 60):
        assert unicodedata.category(text[cut(text, limit)]) != "Mn"


@given(TEXTS)
def test_speech_begins_with_the_first_word_and_the_signs_before_it(text: str) -> None:
    left = from_speech(text)
    assert text.endswith(left)
    assert left == "" or any(map(str.isalnum, left[: LEAD + 1]))
    assert not any(map(str.isalnum, text[: len(text) - len(left)]))


def test_scripts_without_blanks_are_joined_without_one() -> None:
    assert joined("Yes.", "No.") == "Yes. No."
    assert (
        joined("\u306f\u3044\u3002", "\u3044\u3044\u3048\u3002")
        == "\u306f\u3044\u3002\u3044\u3044\u3048\u3002"
    )
