"""Which written words a normalised text says."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from june_tts.text import normalize, speakable, verbatim
from june_tts.text.growing import Growing
from june_tts.text.tokens import word_spans
from june_tts.text.written import written_words
from june_tts.types import Piece

pytestmark = pytest.mark.unit

PROSE = st.lists(
    st.sampled_from(
        "the of plain words, here. 9:30 $5 million $3.50 Dr. Smith 3/4/2024 5% & -3 **bold** 1,234,567.89 "
        "e.g. U.S. bob@x.org # - [a](b) 2nd 天气。 … 🙂 \n\n I, said? the the 10kg".split(" ")
    ),
    max_size=40,
).map(" ".join)


def pairs(text: str) -> list[tuple[str, str]]:
    spoken = normalize(text, "en-US")
    found = written_words(text, spoken, lambda word: normalize(word, "en-US"))
    return [(word.written, spoken[word.start : word.stop]) for word in found]


def spoken_by(text: str, first: int = 40, longest: int = 80) -> list[Piece]:
    return list(speakable(text, "en-US", first_chars=first, piece_chars=longest))


def test_plain_words_stand_for_themselves_with_their_punctuation() -> None:
    assert pairs("Hello there, my friend!") == [
        ("Hello", "Hello"),
        ("there,", "there,"),
        ("my", "my"),
        ("friend!", "friend!"),
    ]


def test_what_was_written_in_figures_is_one_word_of_the_caller() -> None:
    assert pairs("Meet Dr. Smith at 9:30, or call.") == [
        ("Meet", "Meet"),
        ("Dr.", "Doctor"),
        ("Smith", "Smith"),
        ("at", "at"),
        ("9:30,", "nine thirty,"),
        ("or", "or"),
        ("call.", "call."),
    ]


def test_figures_side_by_side_are_told_apart_where_each_is_said_alone_as_it_is_here() -> None:
    assert pairs("It was 5% -3 2nd then.")[2:5] == [
        ("5%", "five percent"),
        ("-3", "minus three"),
        ("2nd", "second"),
    ]


def test_a_word_that_nobody_wrote_belongs_to_the_one_before_it() -> None:
    assert pairs("That is $5 million now.")[2:] == [
        ("$5", "five"),
        ("million", "million dollars"),
        ("now.", "now."),
    ]


def test_marks_and_links_that_are_not_spoken_are_no_words() -> None:
    assert [written for written, _ in pairs("# **Hello** 🙂 - there")] == ["**Hello**", "there"]


def test_a_number_that_two_pieces_say_is_finished_by_the_second() -> None:
    pieces = spoken_by("The whole of it costs 1,234,567.89 dollars and no more than that.", 30, 40)
    cut = [(word.written, word.unfinished) for piece in pieces for word in piece.words]
    parts = [part for part in cut if part[0] == "1,234,567.89"]
    assert len(parts) > 1
    assert [unfinished for _, unfinished in parts] == [True] * (len(parts) - 1) + [False]
    assert [word for word, unfinished in cut if not unfinished] == (
        "The whole of it costs 1,234,567.89 dollars and no more than that.".split()
    )


@settings(deadline=None)
@given(text=PROSE, first=st.integers(20, 60), longest=st.integers(40, 200))
def test_each_spoken_word_of_each_piece_belongs_to_one_written_word_in_order(
    text: str, first: int, longest: int
) -> None:
    source = re.sub(r"\s+", " ", text)
    at = 0
    open_word = ""
    for piece in spoken_by(text, first, longest):
        spans = [(word.start, word.stop) for word in piece.words]
        assert spans == sorted(spans)
        assert all(0 <= start < stop <= len(piece.text) for start, stop in spans)
        for start, _ in word_spans(piece.text):
            assert sum(a <= start < b for a, b in spans) == 1
        for word in piece.words:
            if open_word:
                assert word.written == open_word
            else:
                at = source.index(word.written, at) + len(word.written)
            open_word = word.written if word.unfinished else ""
    assert not open_word


@settings(deadline=None)
@given(text=PROSE)
def test_a_text_that_grows_says_the_same_written_words(text: str) -> None:
    growing = Growing("en-US", first_chars=40, piece_chars=80)
    growing.feed(text)
    pieces = [*growing.ready(), *growing.ready(flush=True)]
    for piece in pieces:
        covered = {at for word in piece.words for at in range(word.start, word.stop)}
        assert {start for start, _ in word_spans(piece.text)} <= covered


def test_a_text_that_is_spoken_as_it_stands_needs_no_list() -> None:
    (piece,) = verbatim("As it stands.", "en-US", first_chars=40, piece_chars=80)
    assert piece == Piece("As it stands.")
    assert piece.words == ()


def test_characters_of_languages_without_spaces_are_words_of_their_own() -> None:
    text = "你好，world 123。"
    assert [text[a:b] for a, b in word_spans(text)] == ["你", "好，", "world", "123。"]
