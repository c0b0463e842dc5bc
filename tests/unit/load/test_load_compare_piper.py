"""The comparison's promises are judged as they are worded."""

import pytest
from bench.compare_piper import CannotMeasure, Measured, Side, verdicts
from tests.unit.load.made import outcome, result

from june_tts.load import Point

pytestmark = pytest.mark.unit


def side(*, p50: float = 0.1, slowest: float = 0.2, audio: float = 20.0) -> Side:
    return Side(p50, slowest, slowest, audio, 60.0, 1.0, 0, 0.0, 8, (p50,), (audio,))


def kept(chars: int, concurrency: int, theirs: Side, ours: Side) -> dict[str, tuple[bool, bool]]:
    """What follows the colon of each promise: (kept, binding)."""
    found = verdicts([Measured(Point(chars, concurrency=concurrency), theirs, ours)])
    return {v.promise.partition(": ")[2]: (v.kept, v.binding) for v in found}


def test_long_texts_must_begin_ten_times_sooner() -> None:
    name = "first audio so many times sooner"
    assert kept(1000, 1, side(p50=2.0), side(p50=0.2))[name] == (True, True)
    assert kept(1000, 1, side(p50=2.0), side(p50=0.21))[name] == (False, True)
    assert name not in kept(1000, 4, side(), side())


def test_short_texts_may_begin_a_tenth_later() -> None:
    name = "first audio, ours / theirs"
    assert kept(20, 1, side(p50=0.1), side(p50=0.109))[name] == (True, True)
    assert kept(20, 1, side(p50=0.1), side(p50=0.12))[name] == (False, True)


@pytest.mark.parametrize("chars", [20, 200, 1000])
@pytest.mark.parametrize("concurrency", [1, 4, 8])
def test_throughput_must_be_theirs_at_every_point(chars: int, concurrency: int) -> None:
    name = "audio seconds per second, ours / theirs"
    assert kept(chars, concurrency, side(audio=20), side(audio=20))[name] == (True, True)
    assert kept(chars, concurrency, side(audio=20), side(audio=19.9))[name] == (False, True)


def test_eight_at_once_get_their_turn_and_only_long_texts_bind() -> None:
    late, spread = "slowest first audio, ours / theirs", "our slowest / our median first audio"
    found = kept(1000, 8, side(slowest=5), side(p50=0.4, slowest=0.9))
    assert (found[late], found[spread]) == ((True, True), (True, True))
    found = kept(200, 8, side(slowest=5), side(p50=0.3, slowest=1.1))
    assert (found[late], found[spread]) == ((False, False), (False, False))
    assert late not in kept(1000, 4, side(), side())


def test_pairs_are_pooled_and_the_slowest_of_any_pair_counts() -> None:
    first = result(outcome(ttfa=0.1, ended=2, audio=4), outcome(ttfa=0.2, ended=2, audio=4))
    second = result(outcome(ttfa=0.9, ended=2, audio=4))
    both = Side.of([first, second])
    assert (both.ttfa_p50, both.ttfa_max, both.audio_per_second, both.requests) == (0.2, 0.9, 3.0, 3)
    assert both.audio_per_second_of_pairs == (4.0, 2.0)


def test_a_failed_request_voids_the_comparison() -> None:
    with pytest.raises(CannotMeasure, match="http 500"):
        Side.of([result(outcome(), outcome(error="http 500", ttfa=None, audio=0))])
