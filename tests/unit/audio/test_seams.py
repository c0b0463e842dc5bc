"""Joining pieces: natural pauses, no click, little held back, and any chunking the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from june_tts.audio.seams import (
    END_MS,
    FIRST_LEAD_MS,
    LEAD_MS,
    LONGEST_PAUSE_MS,
    PAUSE_MS,
    QUIET,
    TAIL_MS,
    Seams,
)
from june_tts.types import Pause, Samples

pytestmark = pytest.mark.unit

RATE = 24_000


def silence(ms: float, level: float = 0.0) -> Samples:
    noise = np.random.default_rng(5).uniform(-1, 1, round(ms * RATE / 1000))
    return (level * noise).astype(np.float32)


def vowel(ms: float, hertz: float = 150.0) -> Samples:
    """A loud tone that starts and stops at full amplitude: the worst that an engine can give."""
    time = np.arange(round(ms * RATE / 1000)) / RATE
    return (0.5 * np.cos(2 * np.pi * hertz * time)).astype(np.float32)


def join(seams: Seams, *pieces: tuple[Samples, Pause], last: bool = True) -> Samples:
    out = []
    for number, (samples, pause) in enumerate(pieces, 1):
        out += [seams.feed(samples), seams.end_piece(pause, last and number == len(pieces))]
    return np.concatenate(out)


def gaps(samples: Samples) -> list[int]:
    """Lengths in samples of the quiet runs longer than 12 ms (a low vowel's own zeros are shorter)."""
    loud = np.flatnonzero(np.abs(samples) > QUIET)
    runs = np.diff(loud) - 1
    return [int(run) for run in runs[runs > 12 * RATE / 1000]]


@settings(deadline=None)
@given(
    cuts=st.lists(st.integers(0, 3000), max_size=30),
    lengths=st.lists(st.tuples(st.sampled_from("sqv"), st.integers(1, 1500)), min_size=1, max_size=8),
)
def test_any_chunking_of_a_piece_gives_the_same_samples(
    cuts: list[int], lengths: list[tuple[str, int]]
) -> None:
    make = {"s": silence, "q": lambda ms: silence(ms, 0.002), "v": vowel}
    piece = np.concatenate([make[kind](ms) for kind, ms in lengths])
    whole, chunked = Seams(RATE), Seams(RATE)
    out, start = [], 0
    for cut in cuts:
        out.append(chunked.feed(piece[start : start + cut]))
        start += cut
    out += [chunked.feed(piece[start:]), chunked.end_piece("clause")]
    np.testing.assert_array_equal(
        np.concatenate(out), np.concatenate([whole.feed(piece), whole.end_piece("clause")])
    )


@pytest.mark.parametrize("pause", ["none", "clause", "sentence", "paragraph"])
@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_a_pause_has_its_stated_length_beside_the_kept_edges(pause: Pause, speed: float) -> None:
    piece = np.concatenate([silence(300), vowel(200), silence(400)])
    joined = join(Seams(RATE, speed), (piece, pause), (piece, "sentence"))
    expected = (PAUSE_MS[pause] / speed + TAIL_MS + LEAD_MS) * RATE / 1000
    # the fade and the tone's own zeros move the last loud sample by less than 1 ms
    assert gaps(joined) == [pytest.approx(expected, abs=RATE / 1000)]


def test_silence_around_the_utterance_is_trimmed_to_a_short_lead_and_tail() -> None:
    joined = join(Seams(RATE), (np.concatenate([silence(900), vowel(200), silence(900)]), "paragraph"))
    loud = np.flatnonzero(np.abs(joined) > QUIET)
    assert loud[0] == FIRST_LEAD_MS * RATE // 1000
    assert joined.size - 1 - loud[-1] == pytest.approx((TAIL_MS + END_MS) * RATE / 1000, abs=RATE / 1000)


@pytest.mark.parametrize("pause", ["none", "sentence"])
def test_no_jump_at_a_seam_is_larger_than_within_the_speech(pause: Pause) -> None:
    abrupt = vowel(200.3)
    joined = join(Seams(RATE), (abrupt, pause), (abrupt, pause), (abrupt, pause))
    steps = np.abs(np.diff(joined, prepend=np.float32(0), append=np.float32(0)))
    assert steps.max() <= np.abs(np.diff(abrupt)).max() * 1.01


def test_a_piece_shorter_than_the_fade_still_starts_and_ends_at_zero() -> None:
    joined = join(Seams(RATE), (vowel(2), "none"), (vowel(2), "none"))
    assert np.abs(np.diff(joined, prepend=np.float32(0))).max() < 0.05


@pytest.mark.parametrize(("first", "second"), [("clause", "sentence"), ("paragraph", "clause")])
def test_a_piece_that_is_all_silence_adds_no_second_pause(first: Pause, second: Pause) -> None:
    spoken, empty = np.concatenate([silence(50), vowel(200), silence(50)]), silence(700)
    longer = max(first, second, key=lambda pause: PAUSE_MS[pause])
    with_it = join(Seams(RATE), (spoken, first), (empty, second), (spoken, "clause"))
    without = join(Seams(RATE), (spoken, longer), (spoken, "clause"))
    np.testing.assert_array_equal(with_it, without)


def test_every_long_silence_inside_a_piece_is_shortened_and_none_is_carried_over() -> None:
    twice = np.concatenate([vowel(200), silence(2000), vowel(200), silence(2000), vowel(200)])
    longest = pytest.approx(LONGEST_PAUSE_MS * RATE / 1000, abs=24)
    joined = join(Seams(RATE), (twice, "none"), (vowel(200), "none"))
    assert gaps(joined)[:2] == [longest, longest]
    assert all(gap < 0.1 * RATE for gap in gaps(joined)[2:])


def test_silence_before_the_first_speech_gives_nothing_at_all() -> None:
    seams = Seams(RATE)
    assert join(seams, (silence(500), "sentence"), (silence(0), "paragraph"), last=False).size == 0
    assert seams.end_piece("none", last=True).size == 0


def test_only_a_quiet_run_is_held_back_and_no_more_than_the_longest_pause() -> None:
    seams = Seams(RATE)
    assert vowel(300).size - seams.feed(vowel(300)).size <= 6 * RATE / 1000
    worst = 0
    for _ in range(500):
        seams.feed(silence(10, 0.002))
        worst = max(worst, seams.held)
    assert 0.9 * LONGEST_PAUSE_MS * RATE / 1000 < worst <= LONGEST_PAUSE_MS * RATE / 1000


def test_a_long_silence_inside_a_piece_is_shortened_and_a_natural_one_is_kept() -> None:
    natural = np.concatenate([vowel(200), silence(500, 0.001), vowel(200)])
    endless = np.concatenate([vowel(200), silence(5000, 0.001), vowel(200)])
    assert gaps(join(Seams(RATE), (natural, "none"))) == [pytest.approx(500 * RATE / 1000, abs=24)]
    assert gaps(join(Seams(RATE), (endless, "none"))) == [
        pytest.approx(LONGEST_PAUSE_MS * RATE / 1000, abs=24)
    ]


def test_a_long_silence_at_a_pieces_end_becomes_just_its_pause() -> None:
    runaway = np.concatenate([vowel(200), silence(5000, 0.001)])
    joined = join(Seams(RATE), (runaway, "clause"), (vowel(200), "clause"))
    assert gaps(joined) == [pytest.approx((PAUSE_MS["clause"] + TAIL_MS) * RATE / 1000, abs=48)]


def test_speech_between_its_fades_is_passed_unchanged() -> None:
    speech = vowel(500)
    joined = join(Seams(RATE), (speech, "none"))
    edge = 5 * RATE // 1000
    np.testing.assert_array_equal(joined[edge : speech.size - edge], speech[edge:-edge])


@settings(deadline=None)
@given(
    cuts=st.lists(st.integers(0, 3000), max_size=30),
    lengths=st.lists(st.tuples(st.sampled_from("sqv"), st.integers(1, 1500)), min_size=1, max_size=8),
)
def test_where_a_sample_is_heard_is_where_its_copy_is_in_the_utterance(
    cuts: list[int], lengths: list[tuple[str, int]]
) -> None:
    make = {"s": silence, "q": lambda ms: silence(ms, 0.002), "v": vowel}
    piece = np.concatenate([make[kind](ms) for kind, ms in lengths])
    seams = Seams(RATE)
    out = [seams.feed(vowel(100)), seams.end_piece("clause")]
    start = 0
    early: dict[int, int] = {}
    wanted = [int(at) for at in np.linspace(0, piece.size - 1, 60)]
    for cut in [*cuts, piece.size]:
        out.append(seams.feed(piece[start : start + cut]))
        start += cut
        given = sum(part.size for part in out)
        for at in wanted:
            if at not in early and at < start and (found := seams.heard_at(at)) is not None:
                assert found <= given
                early[at] = found
    out.append(seams.end_piece("clause"))
    whole = np.concatenate(out)
    late = {at: found for at in wanted if (found := seams.heard_at(at)) is not None}
    # what is said early, in whatever cuts, is what is known in the end
    assert early.items() <= late.items()
    assert sorted(late.values()) == [late[at] for at in sorted(late)]
    loud = [at for at in wanted if abs(piece[at]) > 0.3]
    assert set(loud) <= set(late)
    changed = [at for at in loud if whole[late[at]] != piece[at]]
    # but for the raised cosine at the ends of each stretch that is heard
    assert all(abs(whole[late[at]]) < abs(piece[at]) for at in changed)


def test_samples_that_were_trimmed_are_heard_at_the_edge_of_what_was_kept() -> None:
    seams = Seams(RATE)
    piece = np.concatenate([silence(200), vowel(300), silence(2000), vowel(300), silence(400)])
    ms = RATE // 1000
    whole = join(seams, (piece, "sentence"))
    first, second = 200 * ms, 2500 * ms
    begin = FIRST_LEAD_MS * ms
    assert seams.heard_at(0) == 0
    assert seams.heard_at(first) == begin
    assert seams.heard_at(first + 100 * ms) == begin + 100 * ms
    pause = begin + 300 * ms + LONGEST_PAUSE_MS * ms
    assert seams.heard_at(second) == pytest.approx(pause, abs=2)
    inside = 1500 * ms
    assert seams.heard_at(inside) == pytest.approx(begin + (300 + TAIL_MS) * ms, abs=2)
    assert seams.heard_at(inside, onset=True) == pytest.approx(pause - LEAD_MS * ms, abs=2)
    end = seams.heard_at(piece.size)
    assert end is not None
    assert end == pytest.approx(pause + (300 + TAIL_MS) * ms, abs=2)
    assert end < whole.size
    assert Seams(RATE).heard_at(0) is None
