"""A text that is still being written: where it is cut, and that how it arrives changes nothing."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from june_tts.text import Growing, has_speech, speakable
from june_tts.types import Piece

pytestmark = pytest.mark.unit

FIRST, MOST = 60, 240
WRITTEN = """Sure! Dr. Smith said the price, e.g. $3.50 or so, was 3.5 percent. On March 5, 2024 he came, and
left... quickly, at 5:30 p.m. on Elm St. in the U.S. of A. today.

# Heading, one
- first item, with more
- second item
1. Open it
10. Close it

See [the docs, part two](https://example.com/a,b) for **more, please**, or `code, here`. "Really?" she asked.
It was J. K. Rowling! Mr. and Mrs. Jones, etc. and so on: 1,234 apples; 5-10% of them — or
<b>more, too</b> — and so forth. It cost 5. 7 people came
```python
print(1, 2)
```
Done?! Wait... what"""
SIGNS = "0123456789.,:;/-+*#_`~<>[](){}|!?@$%&='\"\\ \n\r\t\u20ac\u0301\U0001f44d\u200d\u3002\uff0c\u6f22"
NOTATION = (
    "st am Dr. http:// a.b e.g. 3.5 III Henry  March  <b> &amp; U.S. word, word. word! and \n\n - 1. ".split(
        " "
    )
)
NASTY = st.lists(st.sampled_from([*SIGNS, *NOTATION, " "]), max_size=300).map("".join)
WORD = st.text("abdglnou", min_size=2, max_size=9)
PLAIN = st.lists(
    st.tuples(WORD, st.sampled_from([" ", " ", " ", ", ", ". ", "! ", "? ", "; ", "\n\n", "\n"])),
    min_size=1,
    max_size=120,
).map(lambda pairs: "".join(word + gap for word, gap in pairs))


def growing(language: str = "en-US") -> Growing:
    return Growing(language, first_chars=FIRST, piece_chars=MOST)


def fed(*parts: str, language: str = "en-US") -> list[Piece]:
    """The pieces that are ready without a flush."""
    text = growing(language)
    found: list[Piece] = []
    for part in parts:
        text.feed(part)
        found += text.ready()
    return found


def whole(*parts: str, language: str = "en-US") -> list[Piece]:
    text = growing(language)
    found: list[Piece] = []
    for part in parts:
        text.feed(part)
        found += text.ready()
    return found + list(text.ready(flush=True))


def words(pieces: list[Piece]) -> list[str]:
    return re.findall(r"[^\W_]+", " ".join(piece.text for piece in pieces).lower())


def said(text: str, language: str = "en-US") -> list[str]:
    """The words of the same text where all of it is there at once."""
    return words(list(speakable(text, language, first_chars=FIRST, piece_chars=MOST)))


def cuts(text: str, at: list[int]) -> list[str]:
    places = sorted({place % (len(text) + 1) for place in at} | {0, len(text)})
    return [text[a:b] for a, b in zip(places, places[1:], strict=False)]


@given(NASTY | PLAIN | st.just(WRITTEN), st.lists(st.integers(0, 2000), max_size=40))
@settings(max_examples=400, deadline=None)
def test_the_same_text_gives_the_same_pieces_in_whatever_cuts_it_comes(text: str, at: list[int]) -> None:
    assert whole(*cuts(text, at)) == whole(text) == whole(*text)


@given(PLAIN)
@settings(max_examples=200, deadline=None)
def test_no_word_is_lost_added_or_moved(text: str) -> None:
    assert words(whole(*text)) == re.findall("[a-z]+", text)


def test_what_is_written_bit_by_bit_is_read_as_if_it_had_been_there_at_once() -> None:
    assert words(whole(*WRITTEN)) == said(WRITTEN)


@given(NASTY, st.lists(st.integers(0, 2000), max_size=40))
@settings(max_examples=300, deadline=None)
def test_every_piece_sounds_and_keeps_the_limit(text: str, at: list[int]) -> None:
    for piece in whole(*cuts(text, at)):
        assert 0 < len(piece.text) <= MOST
        assert has_speech(piece.text)
        assert "\n" not in piece.text


@given(NASTY | PLAIN | st.just("word " * 400) | st.just("a" * 2000) | st.just(" " * 2000))
@settings(max_examples=100, deadline=None)
def test_no_more_than_a_few_hundred_characters_are_held_back(text: str) -> None:
    held = growing()
    for letter in text:
        held.feed(letter)
        list(held.ready())
        assert held.waiting < 330


def test_the_first_piece_is_ready_with_the_first_word_behind_its_clause() -> None:
    assert fed("Well, of course, ") == []
    assert fed("Well, of course, ", "y") == [Piece("Well, of course,", "clause")]


def test_a_clause_of_a_few_letters_is_too_short() -> None:
    assert fed("Well, you", " know") == []


def test_a_sentence_ends_with_the_word_behind_it() -> None:
    assert fed("It is a nice day.") == fed("It is a nice day. ") == []
    assert fed("It is a nice day.", " ", "S") == [Piece("It is a nice day.", "sentence")]


def test_later_pieces_are_longer_than_the_first() -> None:
    text = "Well, of course, you may say that, and so may all the others, " * 8
    lengths = [len(piece.text) for piece in fed(text)]
    assert 12 <= lengths[0] < 40 <= lengths[1] < 100 <= min(lengths[2:])


def test_after_a_restart_the_next_piece_is_short_again() -> None:
    text = growing()
    text.feed("Well, of course, you may say that, and so may all the others. Yes. ")
    assert len(list(text.ready(flush=True))) == 3
    text.feed("If you like it, then ")
    assert list(text.ready()) == []
    text.restart()
    assert list(text.ready()) == [Piece("If you like it,", "clause")]


@pytest.mark.parametrize(
    ("begun", "goes_on"),
    [
        ("I went to see Dr.", " Smith"),
        ("The price of it is 3.", "5 percent"),
        ("Take one of these, e.g.", " this one"),
        ("It was written by J.", " K. Rowling"),
        ("It was a long day..", ". and more"),
        ("She shouted at him 'stop!", "' and more"),
        ("Is that really so?", "! I ask"),
        ("It was the 5th of March 5,", " 2024"),
        ("He paid as much as 1,", "234 dollars"),
        ("I like apples, pears, etc.", " and more"),
        ("See [this, the", " docs](http://x.y)"),
        ('Click <a href="x.y" title="now, th', 'en">here</a>'),
        ("The address is example.", "com"),
        ("We begin at half past, 5", " p.m. "),
    ],
)
def test_where_it_is_undecided_whether_something_ends_it_waits(begun: str, goes_on: str) -> None:
    assert words(fed(begun)) != words(whole(begun))
    assert words(whole(begun, goes_on)) == said(begun + goes_on)


def test_a_flush_gives_what_is_there() -> None:
    text = growing()
    text.feed("Just a mom")
    assert list(text.ready(flush=True)) == [Piece("Just a mom.", "sentence")]
    assert list(text.ready(flush=True)) == []
    text.feed("ent")
    assert list(text.ready(flush=True)) == [Piece("ent.", "sentence")]


def test_a_long_sentence_without_any_sign_is_not_waited_for() -> None:
    text = "He walked all the way to the station in the morning and then he found no train"
    text += " at all that went there"
    assert fed(text)[0] == Piece("He walked all the way to the station in the morning", "none")
    assert len(fed("word " * 70)) >= 1


def test_a_short_sentence_does_not_wait_for_the_end_of_a_long_one() -> None:
    text = (
        "Sure! "
        + "This sentence just goes on with one word after the other until it comes to its very far end"
    )
    assert fed(text + " here")[0] == Piece("Sure!", "sentence")


def test_a_blank_line_ends_a_paragraph_and_a_wrapped_line_ends_nothing() -> None:
    assert fed("A heading of words\n\n") == [Piece("A heading of words.", "paragraph")]
    assert fed("A line that was just\nwrapped where it ended") == []


def test_list_items_are_pieces_of_their_own() -> None:
    found = fed("- the first of them\n- the second of them\n", "3. and the last\n\n")
    assert [p.text for p in found] == ["the first of them.", "the second of them.", "three, and the last."]


def test_a_dash_within_a_line_is_no_list() -> None:
    assert words(whole("This was all there is. + 5 more of them.")) == said(
        "This was all there is. + 5 more of them."
    )


def test_japanese_sentences_end_without_a_blank() -> None:
    text = "\u4eca\u65e5\u306f\u3068\u3066\u3082\u3044\u3044\u5929\u6c17\u3067\u3059\u306d\u3002"
    assert fed(text, language="ja") == []
    assert fed(text, "\u660e", language="ja") == [Piece(text, "sentence")]


def test_verbatim_text_is_cut_and_left_as_it_is() -> None:
    text = Growing("en-US", first_chars=FIRST, piece_chars=MOST, normalize=False)
    text.feed("It is $5  or more. And **so** on.")
    assert [p.text for p in text.ready(flush=True)] == ["It is $5 or more.", "And **so** on."]
