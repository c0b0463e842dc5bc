"""What is learned of an engine: its limits, its pace, who is a crowd."""

import pytest

from june_tts.service.admission_crowd import FORGOTTEN_SECONDS, MOST_CALLERS, Crowd
from june_tts.service.admission_limit import LATE, WINDOW_SECONDS, Learned, Limit
from june_tts.service.admission_stream import ENOUGH_SECONDS, Sign, Stream
from june_tts.service.pace import MOST_RETRY_SECONDS, UNKNOWN_RETRY_SECONDS, Pace

pytestmark = pytest.mark.unit


def window(learned: Learned, *signs: Sign, playing: int, beginning: int = 0, begin: float = 0.0) -> None:
    """Half a second in which listeners heard this."""
    learned.counts(playing, beginning)
    for number, sign in enumerate((*signs, "good")):
        last = number == len(signs)
        now = begin + (WINDOW_SECONDS if last else 0.01 * number)
        if learned.heard(sign, now):
            learned.turn(playing, beginning, now)


@pytest.mark.parametrize(
    ("signs", "limit"),
    [(("dry",), 14), (("tight", "tight"), 18), (("tight", *["good"] * 9), 64), (("good",), 64)],
)
def test_listeners_near_silence_make_the_limit_smaller_than_what_played(
    signs: tuple[Sign, ...], limit: int
) -> None:
    learned = Learned(64)
    window(learned, *signs, playing=20)
    assert learned.playing.value == 64, "one window may be the machine's own pause"
    window(learned, *signs, playing=20, begin=WINDOW_SECONDS)
    assert learned.playing.value == limit


def test_pauses_with_good_times_between_them_lower_nothing() -> None:
    learned = Learned(64)
    for number in range(20):
        sign: Sign = "dry" if number % 2 else "good"
        window(learned, sign, playing=20, begin=number * WINDOW_SECONDS)
    assert learned.playing.value == 64


def test_a_limit_is_not_lowered_again_before_the_last_time_has_had_its_effect() -> None:
    learned = Learned(64)
    window(learned, "dry", playing=20)
    window(learned, "dry", playing=20, begin=0.5)
    window(learned, "dry", playing=20, begin=1.0)
    assert learned.playing.value == 14
    window(learned, "dry", playing=14, begin=1.5)
    window(learned, "dry", playing=14, begin=2.0)
    assert learned.playing.value == 9


def test_it_never_falls_below_one_stream() -> None:
    learned = Learned(64)
    for number in range(50):
        window(learned, "dry", playing=max(2, learned.playing.value), begin=number * WINDOW_SECONDS)
    assert learned.playing.value == 1


def test_a_limit_grows_by_one_only_where_somebody_waited_for_it() -> None:
    limit = Limit(64, 1)
    limit.turn(0.5, 10)
    limit.turn(0.5, 5)
    limit.turn(1.0, 5)
    assert limit.value == 5
    limit.wanted()
    limit.turn(1.0, 5)
    assert limit.value == 6
    limit.turn(1.0, 5)
    assert limit.value == 6


def test_it_grows_up_to_the_most_there_may_be() -> None:
    limit = Limit(3, 1)
    for _ in range(5):
        limit.wanted()
        limit.turn(1.0, 3)
    assert limit.value == 3


def test_late_first_audio_lowers_how_many_may_begin_and_not_how_many_may_play() -> None:
    learned = Learned(64)
    learned.first_audio(0.05, alone=True)
    for _ in range(30):
        learned.first_audio(0.05 * LATE * 1.2, alone=False)
    assert learned.late
    window(learned, "first", playing=30, beginning=10)
    window(learned, "first", playing=30, beginning=10, begin=WINDOW_SECONDS)
    assert (learned.playing.value, learned.beginning.value) == (64, 8)
    for number in range(2, 30):
        window(learned, "first", playing=30, beginning=learned.beginning.value, begin=number * WINDOW_SECONDS)
    assert learned.beginning.value == 2


def test_before_a_stream_played_alone_the_fastest_first_audio_stands_for_it() -> None:
    learned = Learned(64)
    for seconds in (0.3, 0.1, 0.2):
        learned.first_audio(seconds, alone=False)
    assert learned.unloaded == 0.1
    learned.first_audio(0.2, alone=True)
    assert 0.1 < learned.unloaded < 0.2


def hears(stream: Stream, seconds: float, now: float) -> Sign:
    """A reader that asks for more as soon as it got some gets this."""
    stream.asks(stream.came if stream.gave is None else stream.gave)
    return stream.hears(seconds, now)


def test_a_listener_far_behind_what_was_made_is_well_and_one_near_its_end_is_tight() -> None:
    stream = Stream(0.0, alone=True)
    assert hears(stream, 0.5, 0.1) == "first"
    assert hears(stream, 2.0, 0.2) == "good"
    assert hears(stream, 0.1, 2.5) == "tight"
    assert hears(stream, 0.1, 3.0) == "dry"


def test_a_second_ahead_is_enough_however_old_a_stream_is() -> None:
    stream = Stream(0.0, alone=True)
    hears(stream, 100.0, 0.1)
    assert hears(stream, 1.0, 100.1 - ENOUGH_SECONDS - 0.01) == "good"


def test_first_audio_is_counted_from_when_the_engine_had_words() -> None:
    stream = Stream(0.0, alone=True)
    stream.feeds(words=False, now=0.0)
    stream.asks(0.0)
    stream.feeds(words=True, now=2.0)
    stream.hears(0.5, 2.2)
    assert stream.first_seconds() == pytest.approx(0.2)


def test_what_was_ready_before_it_was_asked_for_is_never_tight() -> None:
    stream = Stream(0.0, alone=True)
    hears(stream, 0.02, 0.1)
    stream.asks(4.9999)
    assert stream.hears(0.02, 5.0) == "good"


def test_a_reader_that_takes_its_time_has_some_left_to_play_when_it_asks() -> None:
    stream = Stream(0.0, alone=True)
    hears(stream, 0.02, 0.1)
    stream.asks(5.0)
    assert stream.hears(0.02, 5.1) == "good", "it never has more than that, however fast the engine is"
    stream.asks(7.0)
    assert stream.hears(0.02, 7.2) == "tight"
    stream.asks(9.0)
    assert stream.hears(0.02, 9.5) == "dry"


def test_the_pace_is_that_of_times_in_which_every_place_was_taken() -> None:
    pace = Pace()
    assert pace.interval(4, 0.0) is None and pace.retry_after(0.0, 4, 0.0) == UNKNOWN_RETRY_SECONDS
    pace.ended(held=2.0, busy=False, now=1.0)
    assert pace.interval(4, 1.0) == pytest.approx(0.5)
    for now in (10.0, 10.2, 10.4, 10.6):
        pace.ended(held=2.0, busy=True, now=now)
    assert pace.interval(4, 10.6) == pytest.approx(0.2)


def test_an_engine_that_ends_nothing_any_more_has_a_slower_pace_by_the_second() -> None:
    pace = Pace()
    for now in (10.0, 10.2, 10.4):
        pace.ended(held=1.0, busy=True, now=now)
    assert pace.interval(4, 13.4) == pytest.approx(3.0)


def test_nobody_is_sent_away_for_longer_than_is_of_use_and_the_line_shortens_with_time() -> None:
    pace = Pace()
    for now in (10.0, 12.0):
        pace.ended(held=1.0, busy=True, now=now)
    told = [pace.retry_after(0.5, 4, 12.0) for _ in range(20)]
    assert told == sorted(told) and told[-1] == MOST_RETRY_SECONDS
    pace.ended(held=1.0, busy=False, now=30.0)
    assert pace.retry_after(0.5, 4, 30.0) < 3


def asked(crowd: Crowd, waits: bool, begin: float, end: float) -> None:
    """Twenty-five requests a second."""
    for number in range(round(25 * (end - begin)) + 1):
        crowd.asked("many", waits, begin + number / 25)


def test_a_crowd_is_one_that_lasts() -> None:
    crowd = Crowd(0.5)
    asked(crowd, True, 0.0, 0.5)
    assert not crowd.has("many", 0.5)
    asked(crowd, True, 0.54, 1.0)
    assert crowd.has("many", 1.0) and not crowd.has("one", 1.0)


def test_a_crowd_is_over_when_its_requests_find_places_or_it_has_gone() -> None:
    crowd = Crowd(0.5)
    asked(crowd, True, 0.0, 1.0)
    assert crowd.has("many", 1.0) and not crowd.has("many", 1.1 + FORGOTTEN_SECONDS)
    asked(crowd, True, 20.0, 21.0)
    assert crowd.has("many", 21.0)
    asked(crowd, False, 21.04, 22.0)
    assert crowd.has("many", 22.0), "a second is no rest yet"
    asked(crowd, False, 22.04, 25.0)
    assert not crowd.has("many", 25.0)


def test_four_who_come_together_and_wait_for_each_other_are_no_crowd_however_often() -> None:
    crowd = Crowd(0.5)
    for turn in range(50):
        for number in range(4):
            now = 4.0 * turn + 0.03 * number
            crowd.asked("rooms", number >= 2, now)
            assert not crowd.has("rooms", now)


def test_one_that_waited_after_a_long_silence_makes_no_crowd() -> None:
    crowd = Crowd(0.5)
    for number in range(20):
        crowd.asked("one", False, 4.0 * number)
        crowd.asked("one", True, 4.0 * number + 3.0)
        assert not crowd.has("one", 4.0 * number + 3.1)


def test_callers_without_end_are_not_all_remembered() -> None:
    crowd = Crowd(0.0)
    for number in range(MOST_CALLERS + 50):
        crowd.asked(str(number), True, 0.0)
    assert len(crowd._callers) == MOST_CALLERS


def test_proven_is_what_played_through_a_good_window_and_no_more_than_the_limit() -> None:
    limit = Limit(64, 1)
    limit.turn(1.0, 12)
    assert limit.proven == 0, "they came while the window lasted"
    limit.turn(1.0, 10)
    assert limit.proven == 10
    limit.counts(20)
    limit.turn(0.5, 20)
    limit.counts(20)
    limit.turn(0.5, 20)
    assert (limit.value, limit.proven) == (10, 10)
    limit.turn(1.0, 4)
    limit.counts(8)
    limit.turn(0.5, 8)
    limit.counts(8)
    limit.turn(0.5, 8)
    assert (limit.value, limit.proven) == (4, 4)
