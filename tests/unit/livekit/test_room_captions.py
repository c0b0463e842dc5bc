"""Captions: a beginning of the caller's text, as far as it has been heard."""

import pytest

from june_tts.livekit.captions import CHARS_PER_SECOND, Captions
from june_tts.types import Line, WordTime

pytestmark = pytest.mark.unit


def captions(text: str, speed: float = 1.0) -> Captions:
    return Captions(Line("id", text, speed))


def times(*words: str) -> list[WordTime]:
    """Half a second each."""
    return [WordTime(word, at / 2, at / 2 + 0.4) for at, word in enumerate(words)]


def test_a_word_is_shown_when_it_begins_with_what_stands_before_it() -> None:
    shown = captions("Hello,  **dear** friend.")
    shown.learn(times("Hello,", "dear", "friend."))
    assert [shown.upto(at) for at in (0.0, 0.4, 0.5, 0.9, 1.1)] == [
        "Hello,",
        "",
        "  **dear",
        "",
        "** friend.",
    ]
    assert shown.rest() == ""


def test_words_may_come_chunk_by_chunk() -> None:
    shown = captions("one two three")
    words = times("one", "two", "three")
    shown.learn(words[:1])
    assert shown.upto(0.1) == "one"
    shown.learn(words[1:])
    assert shown.upto(5.0) == " two three"


def test_a_number_that_was_spoken_otherwise_is_shown_with_the_word_after_it() -> None:
    shown = captions("It costs 22 dollars")
    shown.learn(times("It", "costs", "twenty", "two", "dollars"))
    assert [shown.upto(at) for at in (0.0, 0.5, 1.0, 1.5, 2.0)] == ["It", " costs", "", "", " 22 dollars"]


def test_a_short_word_is_not_found_inside_another() -> None:
    shown = captions("3 cats that saw a dog")
    shown.learn(times("three", "a"))
    assert shown.upto(0.5) == "3 cats that saw a"


def test_a_word_that_is_nowhere_near_changes_nothing() -> None:
    shown = captions("one " + "x" * 500 + " end")
    shown.learn(times("one", "end"))
    assert shown.upto(9.0) == "one"
    assert shown.rest().endswith(" end")


def test_without_times_the_text_goes_on_at_a_usual_pace_by_whole_words() -> None:
    text = "word " * 20
    shown = captions(text)
    parts = [shown.upto(at / 10) for at in range(0, 40)]
    assert all(part == "" or part.strip().endswith("word") for part in parts)
    told = "".join(parts)
    assert text.startswith(told) and abs(len(told) - 3.9 * CHARS_PER_SECOND) < 6
    assert told + shown.rest() == text


def test_faster_speech_has_faster_captions() -> None:
    slow, fast = captions("word " * 50), captions("word " * 50, 2.0)
    assert len(fast.upto(2.0)) > 1.8 * len(slow.upto(2.0))


def test_times_that_come_later_take_over_from_the_guess() -> None:
    shown = captions("one two three four")
    assert shown.upto(0.0) == "one"
    shown.learn(times("one", "two", "three", "four"))
    assert shown.upto(0.4) == ""
    assert shown.upto(0.5) == " two"


def test_a_language_without_spaces_is_shown_in_parts() -> None:
    shown = captions("あ" * 200)
    assert 0 < len(shown.upto(1.0)) < 60
