"""Word times from the text and the loudness alone."""

from collections.abc import AsyncIterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from june_tts.engine.estimated import FRAME_SECONDS, Loudness, estimated
from june_tts.engine.fish_words import Told, TurnWords
from june_tts.text import speakable
from june_tts.text.tokens import word_spans
from june_tts.types import Piece, Samples, WordTime

pytestmark = pytest.mark.unit

RATE = 8_000


def sound(*parts: tuple[float, bool]) -> Samples:
    """Seconds, loud or not."""
    return np.concatenate([np.full(round(s * RATE), 0.3 if loud else 0.0, np.float32) for s, loud in parts])


def seconds(text: str, samples: Samples) -> list[tuple[str, float, float]]:
    loudness = Loudness(RATE)
    loudness.feed(samples)
    marks = estimated(text, loudness)
    words = {start: text[start:stop] for start, stop in word_spans(text)}
    return [(words[m.at], m.start / RATE, m.end / RATE) for m in marks]


def test_words_share_the_sound_by_their_letters_and_silence_around_it_is_none_of_theirs() -> None:
    found = seconds("aaa aaaaaa aaa", sound((0.5, False), (1.5, True), (0.4, False)))
    assert [word for word, _, _ in found] == ["aaa", "aaaaaa", "aaa"]
    assert found[0][1:] == pytest.approx((0.5, 0.9), abs=0.02)
    assert found[1][1:] == pytest.approx((0.9, 1.6), abs=0.02)
    assert found[2][1:] == pytest.approx((1.6, 2.0), abs=0.02)


def test_a_pause_is_where_the_punctuation_is_though_the_letters_put_it_elsewhere() -> None:
    # by letters alone the comma would be at 0.6 of 1.8 s
    text = "aaaa aaaa, aaaa aaaa aaaa aaaa"
    found = seconds(text, sound((0.8, True), (0.3, False), (1.0, True)))
    assert found[1][2] == pytest.approx(0.8, abs=0.02)
    assert found[2][1] == pytest.approx(1.1, abs=0.02)


def test_a_pause_is_rather_at_punctuation_than_at_a_nearer_border_without() -> None:
    found = seconds("aaaa aaaa aaaa, aaaa aaaa aaaa", sound((0.62, True), (0.3, False), (1.18, True)))
    assert found[2][2] == pytest.approx(0.62, abs=0.02)


def test_a_pause_that_nobody_wrote_is_between_two_words() -> None:
    found = seconds("aaaa aaaa aaaa aaaa", sound((1.0, True), (0.4, False), (0.9, True)))
    assert found[1][2] == pytest.approx(1.0, abs=0.02)
    assert found[2][1] == pytest.approx(1.4, abs=0.02)


def test_silence_says_nothing() -> None:
    assert seconds("aaa bbb", sound((1.0, False))) == []
    assert seconds("aaa bbb", np.zeros(0, np.float32)) == []
    assert seconds("...", sound((1.0, True))) == []


@settings(deadline=None, max_examples=60)
@given(
    words=st.lists(st.sampled_from(["a", "bc,", "def", "ghijk.", "l?", "好"]), min_size=1, max_size=30),
    parts=st.lists(st.tuples(st.integers(1, 900), st.booleans()), min_size=1, max_size=12),
    cuts=st.lists(st.integers(0, 5000), max_size=8),
)
def test_every_word_once_in_order_within_the_sound_however_it_came(
    words: list[str], parts: list[tuple[int, bool]], cuts: list[int]
) -> None:
    text = " ".join(words)
    samples = sound(*((ms / 1000, loud) for ms, loud in parts))
    whole, chunked = Loudness(RATE), Loudness(RATE)
    whole.feed(samples)
    for part in np.split(samples, np.minimum(np.cumsum(cuts), samples.size)) if cuts else [samples]:
        chunked.feed(part)
    marks = estimated(text, whole)
    assert marks == estimated(text, chunked)
    if not (np.abs(samples) > 0).any() or samples.size < whole.frame:
        return
    assert [m.at for m in marks] in ([], [start for start, _ in word_spans(text)])
    edges = [edge for m in marks for edge in (m.start, m.end)]
    assert edges == sorted(edges)
    if marks:
        assert 0 <= edges[0] and edges[-1] <= samples.size
        frame = round(FRAME_SECONDS * RATE)
        assert np.abs(samples[max(0, edges[0]) : edges[0] + frame]).max() > 0


async def test_turns_say_the_written_words_of_the_pieces_they_are_cut_from() -> None:
    text = "Meet Dr. Smith at 9:30, or on 3/4/2024. It costs 1,234,567.89 dollars, and that is all there is."
    pieces = list(speakable(text, "en-US", first_chars=30, piece_chars=40))
    assert any(word.unfinished for piece in pieces for word in piece.words)

    async def source() -> AsyncIterator[Piece]:
        for piece in pieces:
            yield piece

    words = TurnWords()
    spoken = " ".join([piece.text async for piece in words.of(source())])
    half = spoken.index("thousand")
    found = [words.turn(turn.strip()) for turn in (spoken[:half], spoken[half:])]
    parts = [word for turn in found for word in turn.words]
    assert [word.written for word in parts if not word.unfinished] == text.split()
    assert [word.written for word in parts if word.unfinished] == ["1,234,567.89"]
    said = [turn.text[w.start : w.stop] for turn in found for w in turn.words if w.written == "9:30,"]
    assert said == ["nine thirty,"]


async def test_a_turn_that_says_something_else_has_its_own_words() -> None:
    async def source() -> AsyncIterator[Piece]:
        yield Piece("one two three")

    words = TurnWords()
    assert [piece.text async for piece in words.of(source())] == ["one two three"]
    assert words.turn("one other") == Piece("one other")
    assert words.turn("three").words == ()


def test_another_tempo_moves_words_and_none_is_told_before_it_is_heard_or_ends_after_the_audio() -> None:
    told = Told(2.0)
    told.add([WordTime("a", 0.0, 1.0), WordTime("b", 1.0, 3.0)])
    assert list(told.heard(0.4)) == []
    assert list(told.heard(0.5)) == [WordTime("a", 0.0, 0.5)]
    assert list(told.heard(1.4)) == []
    assert list(told.heard(1.45, last=True)) == [WordTime("b", 0.5, 1.45)]
