"""Figures out of outcomes."""

import pytest
from tests.unit.load.made import outcome

from june_tts.load import Spread, summarise

pytestmark = pytest.mark.unit


def test_percentiles_are_values_that_were_measured() -> None:
    assert Spread.of(range(1, 101)) == Spread(50, 95, 99, 100)
    assert Spread.of([3.0]) == Spread(3, 3, 3, 3)
    assert Spread.of([2.0, 1.0]) == Spread(1, 2, 2, 2)
    assert Spread.of([]) is None


def test_throughput_is_over_the_time_from_the_first_due_to_the_last_end() -> None:
    summary = summarise([outcome(begun=10, ended=12, audio=6), outcome(begun=11, ended=14, audio=2)])
    assert (summary.wall_seconds, summary.audio_seconds) == (4, 8)
    assert (summary.audio_per_second, summary.requests_per_second) == (2, 0.5)


def test_real_time_factor_is_total_over_audio() -> None:
    rtf = summarise([outcome(begun=5, ended=6, audio=4)]).rtf
    assert rtf is not None
    assert rtf.p50 == 0.25


def test_failures_count_by_kind_and_leave_the_other_figures_alone() -> None:
    failed = [
        outcome(error="http 503", detail="full", ttfa=None, audio=0, ended=0.5),
        outcome(error="timeout", detail="late", ttfa=9.0, audio=50, ended=0.9),
        outcome(error="http 503", detail="full again", ttfa=None, audio=0, ended=0.5),
    ]
    summary = summarise([outcome(audio=2, ttfa=0.1, ended=1.0), *failed])
    assert (summary.requests, summary.succeeded) == (4, 1)
    assert summary.errors == {"http 503": 2, "timeout": 1}
    assert summary.details == {"http 503": "full", "timeout": "late"}
    assert (summary.audio_seconds, summary.ttfa) == (2, Spread(0.1, 0.1, 0.1, 0.1))


def test_underruns_add_up_and_name_how_many_listeners_heard_one() -> None:
    good = [outcome(underruns=2, dry=0.5), outcome(), outcome(underruns=1, dry=0.25)]
    summary = summarise(good)
    assert (summary.underruns, summary.underrun_requests, summary.dry_seconds) == (3, 2, 0.75)


def test_gaps_of_all_requests_are_ranked_together() -> None:
    gaps = summarise([outcome(gaps=(0.1, 0.3)), outcome(gaps=(0.2,))]).gaps
    assert gaps is not None
    assert (gaps.p50, gaps.max) == (0.2, 0.3)


def test_nothing_measured_is_no_division_by_zero() -> None:
    summary = summarise([])
    assert (summary.audio_per_second, summary.ttfa, summary.requests) == (0, None, 0)
