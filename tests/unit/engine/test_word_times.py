"""From when a piece's words are made to when they are heard: any cuts give the same times."""

from collections.abc import AsyncIterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from june_tts.audio.seams import Seams
from june_tts.engine.fake import SAMPLE_RATE, SECONDS_PER_CHARACTER, FakeEngine
from june_tts.engine.marks import Marks
from june_tts.engine.owners import NOBODY
from june_tts.engine.schedule import Mark
from june_tts.engine.timing import Timing
from june_tts.text import speakable
from june_tts.types import Piece, Samples, Utterance, WordTime, WrittenWord

pytestmark = pytest.mark.unit

RATE = 8_000
WORDS = st.lists(
    # before it, loud, where its mark begins and ends within it; milliseconds
    st.tuples(st.integers(0, 1500), st.integers(5, 400), st.integers(-60, 60), st.integers(-60, 60)),
    min_size=1,
    max_size=6,
)


def spoken(words: list[tuple[int, int, int, int]]) -> tuple[Samples, list[Mark]]:
    """A piece of tones, and marks that are a little off, as a model's are."""
    parts: list[Samples] = []
    marks: list[Mark] = []
    size = end = 0
    for number, (before, loud, early, late) in enumerate(words):
        quiet, tone = before * RATE // 1000, loud * RATE // 1000
        parts += [np.zeros(quiet, np.float32), np.full(tone, 0.5, np.float32)]
        start = max(end, size + quiet + early * RATE // 1000)
        end = max(start, size + quiet + tone + late * RATE // 1000)
        marks.append(Mark(2 * number, start, end))
        size += quiet + tone
    parts.append(np.zeros(max(0, end - size), np.float32))
    return np.concatenate(parts), marks


def times(
    pieces: list[list[tuple[int, int, int, int]]], cuts: list[int]
) -> tuple[list[WordTime], list[float], float]:
    """Word times, the audio sent when each was told, and the audio in all; seconds."""
    seams = Seams(RATE)
    timing = Timing(seams, RATE)
    told: list[WordTime] = []
    at: list[float] = []
    given = 0
    for number, words in enumerate(pieces, 1):
        samples, marks = spoken(words)
        timing.begin(Piece(" ".join("abcdef"[: len(words)])), marks)
        for part in [*np.split(samples, np.minimum(np.cumsum(cuts), samples.size)), None]:
            last = number == len(pieces)
            heard = seams.feed(part) if part is not None else seams.end_piece("clause", last)
            if part is None:
                timing.end()
            given += heard.size
            if heard.size:
                told += (new := timing.heard())
                at += [given / RATE] * len(new)
    return told, at, given / RATE


@settings(deadline=None)
@given(pieces=st.lists(WORDS, min_size=1, max_size=3), cuts=st.lists(st.integers(1, 4000), max_size=6))
def test_times_rise_lie_in_the_audio_and_do_not_depend_on_how_it_is_cut(
    pieces: list[list[tuple[int, int, int, int]]], cuts: list[int]
) -> None:
    found, told_at, seconds = times(pieces, cuts)
    assert found == times(pieces, [])[0]
    assert [word.text for word in found] == [name for words in pieces for name in "abcdef"[: len(words)]]
    edges = [edge for word in found for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] < seconds
    # a word is told with the chunk in which it ends, and not before
    assert all(word.end <= at for word, at in zip(found, told_at, strict=True))


def test_a_word_is_heard_where_its_samples_are() -> None:
    (first, second), told_at, seconds = times([[(200, 300, 0, 0), (100, 300, 0, 0)]], [333] * 20)
    assert told_at[0] < first.end + 0.1, "told with the chunk in which it ends, not at the end of the piece"
    # 5 ms before the first loud sample are kept, the rest of the silence is not
    assert first == WordTime("a", 0.005, 0.305)
    assert (second.start, second.end) == pytest.approx((0.405, 0.705))
    assert seconds == pytest.approx(0.705 + 0.2)


def test_a_long_silence_within_a_piece_is_shortened_before_the_next_word() -> None:
    (_, second), _, _ = times([[(0, 300, 0, 0), (3000, 300, 0, 0)]], [])
    assert second.start == pytest.approx(0.3 + 0.8, abs=0.002)


def test_a_written_word_lasts_as_long_as_what_is_said_for_it_also_over_two_pieces() -> None:
    seams = Seams(RATE)
    timing = Timing(seams, RATE)
    halves = [
        Piece("at nine", "none", (WrittenWord("at", 0, 2), WrittenWord("9:30", 3, 7, unfinished=True))),
        Piece("thirty", "none", (WrittenWord("9:30", 0, 6),)),
    ]
    found: list[WordTime] = []
    loud = np.full(RATE // 10, 0.5, np.float32)
    for piece, marks in zip(halves, ([Mark(0, 0, 400), Mark(3, 400, 800)], [Mark(0, 0, 800)]), strict=True):
        timing.begin(piece, marks)
        seams.feed(loud)
        found += timing.heard()
        seams.end_piece(piece.pause)
        timing.end()
        found += timing.heard()
    assert found == [WordTime("at", 0.0, 0.05), WordTime("9:30", 0.05, 0.2)]


def test_a_voice_without_times_gives_none() -> None:
    seams = Seams(RATE)
    timing = Timing(seams, RATE)
    timing.begin(Piece("a b"), [])
    seams.feed(np.full(RATE, 0.5, np.float32))
    assert timing.heard() == ()
    seams.end_piece("clause")
    timing.end()
    assert timing.heard() == ()


def test_the_lengths_of_phonemes_add_up_over_the_sentences_of_a_piece() -> None:
    marks = Marks("of the men")
    first = marks.of([NOBODY, 0, 0, NOBODY, 1, NOBODY], np.array([10, 20, 30, 5, 40, 5], np.float32))
    second = marks.of([NOBODY, 2, NOBODY, 2], np.array([1, 2, 3, 4], np.float32))
    assert first == [Mark(0, 10, 60), Mark(3, 65, 105)]
    assert second == [Mark(7, 111, 120)]


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
async def test_the_engine_without_a_model_has_times_too(speed: float) -> None:
    engine = FakeEngine()
    text = "Meet me at 9:30, or the day after tomorrow. I will be there."

    async def pieces() -> AsyncIterator[Piece]:
        for piece in speakable(text, "en-US", first_chars=20, piece_chars=40):
            yield piece

    samples = 0
    found: list[WordTime] = []
    async for chunk in engine.synthesize(Utterance("x", engine.voices()[0], "en-US", speed), pieces()):
        samples += chunk.samples.size
        found += chunk.words
        assert all(word.end <= samples / SAMPLE_RATE for word in chunk.words)
    assert [word.text for word in found] == text.split()
    assert found[1].start == pytest.approx(5 * SECONDS_PER_CHARACTER / speed)
    assert found[3].text == "9:30,"
    assert found[3].end - found[3].start == pytest.approx(12 * SECONDS_PER_CHARACTER / speed, abs=0.001)
