"""Where a text is cut, how much of it is read for that, and what never happens."""

import re
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from june_tts.text import blocks, has_speech, normalize, speakable, speech
from june_tts.types import Piece

pytestmark = pytest.mark.unit

FIRST, MOST = 40, 120
# too few letters for an abbreviation or a unit
WORD = st.text("abdglnou", min_size=2, max_size=9)
PLAIN = st.lists(
    st.tuples(WORD, st.sampled_from([" ", " ", " ", ", ", ". ", "! ", "? ", "; ", "\n\n"])),
    min_size=1,
    max_size=120,
).map(lambda pairs: "".join(word + gap for word, gap in pairs))
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
SIGNS = "0123456789.,:;/-+*#_`~<>[](){}|!?@$%&='\"\\ \n\t\u20ac\u0301\U0001f44d\u200d\u3002\u6f22"
NOTATION = "st am Dr. http:// a.b e.g. km III Henry  March  <b> &amp; U.S.".split(" ")
NASTY = st.lists(st.sampled_from([*SIGNS, *NOTATION]), max_size=200).map("".join)
LANGUAGES = st.sampled_from(["en-US", "en-GB", "de", "ja", "zh", "fr", "xx", ""])


def pieces(text: str, language: str = "en-US", first: int = FIRST, most: int = MOST) -> list[Piece]:
    return list(speakable(text, language, first_chars=first, piece_chars=most))


def spoken(text: str, language: str = "en-US") -> list[str]:
    return [piece.text for piece in pieces(text, language)]


def joined(found: list[Piece]) -> str:
    return "".join(p.text + ("\n" if p.pause == "paragraph" else " ") for p in found).strip()


SILENT = "... --- *** () [] \u3002\uff01 <br> ' # \u0301 \ufeff \x00\x01\u200b\u202e \U0001f44d\U0001f3fd"


@pytest.mark.parametrize(
    "text", ["", " \n\t ", "\U0001f600", "```\n```", "*\n*\n", *SILENT.split(" "), SILENT]
)
def test_text_without_sound_gives_no_piece(text: str) -> None:
    assert pieces(text) == []


@pytest.mark.parametrize("text", ["5", "$5", "&", "%", "$", "a", "\u6f22", "\xe9", "$\U0001f600", "+", "="])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_single_sign_with_a_name_speaks(text: str, language: str) -> None:
    assert len(pieces(text, language)) == 1


def test_each_sentence_is_a_piece_of_its_own() -> None:
    found = pieces(
        "The first sentence is here. Is the second one there? The third one is!\n\nA new paragraph."
    )
    assert [(p.text, p.pause) for p in found] == [
        ("The first sentence is here.", "sentence"),
        ("Is the second one there?", "sentence"),
        ("The third one is!", "paragraph"),
        ("A new paragraph.", "sentence"),
    ]


def test_a_very_short_sentence_is_spoken_with_the_next() -> None:
    assert spoken("Yes. I will do that. Now.") == ["Yes. I will do that.", "Now."]
    assert spoken("Yes. No.") == ["Yes. No."]
    assert spoken("Yes. " + "This sentence is far too long to be spoken with it at once.")[0] == "Yes."


@pytest.mark.parametrize(
    "text",
    [
        "I met Dr. Smith and Mr. Jones there.",
        "Pi is 3.14 and a bit more.",
        "He joined the U.S. Army last year.",
        "Take a tool, e.g. this one here.",
        "It was J. K. Rowling who wrote it.",
        "Wait... there is more to it.",
        "Version 1.2.3 is out.",
    ],
)
def test_a_full_stop_within_a_sentence_does_not_end_it(text: str) -> None:
    assert len(pieces(text, first=200, most=400)) == 1


def test_abbreviations_of_other_languages_do_not_end_a_sentence() -> None:
    assert len(pieces("Das ist Dr. Meier bzw. Hr. Schulz, z. B. am 3. M\xe4rz.", "de", 200, 400)) == 1


def test_chinese_and_japanese_stops_end_sentences_without_a_space() -> None:
    text = "\u4eca\u65e5\u306f\u3044\u3044\u5929\u6c17\u3067\u3059\u306d\u672c\u5f53\u3002"
    text += "\u660e\u65e5\u306f\u3069\u3046\u3067\u3057\u3087\u3046\u304b\uff1f"
    assert [p.pause for p in pieces(text, "ja")] == ["sentence", "sentence"]


def test_the_first_piece_of_a_long_sentence_ends_at_a_clause() -> None:
    found = pieces("If you look closely at it, you will see that the whole of the wall is covered by moss.")
    assert found[0] == Piece("If you look closely at it,", "clause")
    assert found[1].text == "you will see that the whole of the wall is covered by moss."


def test_the_first_piece_may_end_before_a_conjunction() -> None:
    found = pieces("He walked to the station but he did not find any train that went to the coast that day.")
    assert found[0] == Piece("He walked to the station", "none")


def test_a_sentence_that_fits_is_not_cut() -> None:
    assert spoken("Well, yes, and no, of course.") == ["Well, yes, and no, of course."]


def test_no_cut_leaves_a_fragment() -> None:
    assert spoken("Well, he went to the station in the morning and never came home, ok?")[0].startswith(
        "Well, he"
    )


def test_a_cut_at_a_mere_space_has_no_pause() -> None:
    found = pieces("word " * 60)
    assert {p.pause for p in found[:-1]} == {"none"}


def test_a_text_without_any_border_is_cut_hard_and_whole() -> None:
    found = pieces("a" * 100_000)
    assert "".join(p.text for p in found).rstrip(".") == "a" * 100_000
    assert max(len(p.text) for p in found) <= MOST


def test_a_hard_cut_tears_no_accent_from_its_letter() -> None:
    found = pieces("e\u0323\u0302\u0308" * 3000, "fr")
    assert not any(unicodedata.category(p.text[0])[0] == "M" for p in found)


def test_the_first_piece_reads_a_few_hundred_characters_of_a_chapter(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted(text: str) -> Iterator[blocks.Block]:
        for block in blocks.blocks(text):
            read.append(len(block.text))
            yield block

    monkeypatch.setattr(speech, "blocks", counted)
    chapter = "This is one sentence of a very long chapter, and it goes on. " * 2000
    stream = speakable(chapter, "en", first_chars=FIRST, piece_chars=MOST)
    assert next(stream).text.startswith("This is one sentence of a very long chapter,")
    assert sum(read) < 1000
    for _ in range(20):
        next(stream)
    assert sum(read) < 3000


@given(ANY | NASTY | PLAIN, LANGUAGES, st.integers(1, 80), st.integers(1, 200))
@settings(max_examples=300, deadline=None)
def test_every_piece_sounds_and_keeps_the_limit(text: str, language: str, first: int, most: int) -> None:
    for piece in pieces(text, language, first, most):
        assert piece.text == piece.text.strip()
        assert 0 < len(piece.text) <= most
        assert has_speech(piece.text)
        assert "[[" not in piece.text and "\n" not in piece.text


@given(PLAIN)
@settings(max_examples=200, deadline=None)
def test_plain_words_stay_and_keep_their_order(text: str) -> None:
    assert re.findall("[a-z]+", joined(pieces(text))) == re.findall("[a-z]+", text)


@given(PLAIN)
@settings(max_examples=200, deadline=None)
def test_the_pieces_are_the_normalised_whole(text: str) -> None:
    assert joined(pieces(text)) == normalize(text, "en-US")


@given(PLAIN)
@settings(max_examples=200, deadline=None)
def test_normalised_plain_text_stays_as_it_is(text: str) -> None:
    paragraphs = normalize(text, "en-US").replace("\n", "\n\n")
    assert normalize(paragraphs, "en-US") == normalize(text, "en-US")


@given(NASTY)
@settings(max_examples=200, deadline=None)
def test_no_digit_reaches_an_english_voice(text: str) -> None:
    assert not re.search(r"\d", normalize(text, "en-US"))
