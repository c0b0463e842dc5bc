"""When a stream's audio leaves, by a clock that the test moves. A frame lasts 0.05 s here."""

import pytest

from june_tts.fish.pacing import DRY_SECONDS, Pace, PaceRules

pytestmark = pytest.mark.unit

FRAME = 0.05
RULES = PaceRules(first_frames=3, most_frames=20, frame_seconds=FRAME)


def pace(realtime: bool = True) -> Pace:
    return Pace(RULES, realtime=realtime)


def chunks(made_per_second: float, seconds: float) -> list[int]:
    """The chunks of an engine that makes frames at this rate."""
    stream, sizes, pending = pace(), list[int](), 0
    for frame in range(int(made_per_second * seconds)):
        now = frame / made_per_second
        pending += 1
        if stream.due(pending, now):
            sizes.append(pending)
            stream.sent(pending, now)
            pending = 0
    return sizes


def test_first_audio_leaves_after_a_few_frames() -> None:
    assert [pace().due(pending, now=7.0) for pending in (0, 1, 2, 3)] == [False, False, False, True]


def test_chunks_grow_while_the_listener_is_ahead_up_to_the_bound() -> None:
    sizes = chunks(made_per_second=200, seconds=3)
    assert sizes[0] == 3 and sizes[-1] == 20
    assert sizes == sorted(sizes)


def test_a_listener_never_runs_dry_if_the_engine_is_faster_than_he_hears() -> None:
    stream, pending = pace(), 0
    for frame in range(500):
        now = frame / 25  # a quarter faster than real time
        pending += 1
        if stream.due(pending, now):
            assert stream.plays_until is None or stream.plays_until > now
            stream.sent(pending, now)
            pending = 0


def test_what_is_there_leaves_at_once_when_the_listener_is_about_to_run_dry() -> None:
    stream = pace()
    stream.sent(3, now=0.0)
    dry_at = 3 * FRAME
    assert not stream.due(1, dry_at - DRY_SECONDS - 0.01)
    assert stream.due(1, dry_at - DRY_SECONDS + 0.01)
    assert not stream.due(0, dry_at - 0.01)


def test_a_listener_who_is_dry_already_gets_a_first_chunk_again() -> None:
    stream = pace()
    stream.sent(3, now=0.0)
    assert [stream.due(pending, now=9.0) for pending in (1, 2, 3)] == [False, False, True]
    stream.sent(3, now=9.0)
    assert stream.plays_until == pytest.approx(9.0 + 3 * FRAME)


def test_where_nobody_listens_chunks_are_the_largest() -> None:
    stream = pace(realtime=False)
    assert (stream.due(19, now=0.0), stream.due(20, now=0.0)) == (False, True)
    stream.sent(20, now=0.0)
    assert not stream.due(19, now=20 * FRAME - 0.01)


def test_half_a_chunk_may_come_along_with_another_streams() -> None:
    stream = pace()
    assert [stream.may_join(pending, now=0.0) for pending in (0, 1, 2)] == [False, False, True]


def test_the_frames_that_wait_count_for_when_a_listener_runs_dry() -> None:
    stream = pace()
    assert stream.runs_dry_at(5) is None
    stream.sent(3, now=1.0)
    assert stream.runs_dry_at(5) == pytest.approx(1.0 + 8 * FRAME)
