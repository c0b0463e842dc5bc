"""What a listener hears, on an injected clock: every figure is exact."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from june_tts.load.listener import BURST, Listener
from june_tts.load.wav import PcmCounter

pytestmark = pytest.mark.unit

RATE = 8000
SECOND = b"\0" * (2 * RATE)


def heard(*events: tuple[float, bytes]) -> Listener:
    listener = Listener(PcmCounter(RATE))
    for at, data in events:
        listener.feed(at, data)
    return listener


def test_first_audio_is_the_time_of_the_first_read_that_holds_any() -> None:
    assert heard((1.0, b""), (1.5, SECOND), (2.0, SECOND)).first_at == 1.5


def test_nothing_heard_means_no_first_audio_and_no_audio() -> None:
    listener = heard((1.0, b""))
    assert listener.first_at is None
    assert listener.audio_seconds == 0.0


def test_audio_seconds_come_from_the_bytes_and_the_rate() -> None:
    assert heard((0.0, SECOND), (0.1, SECOND[: RATE // 2])).audio_seconds == pytest.approx(1.25)


def test_audio_that_keeps_ahead_of_playback_has_gaps_but_no_underruns() -> None:
    listener = heard((10.0, SECOND), (10.9, SECOND), (11.5, SECOND), (12.9, SECOND))
    assert listener.gaps == pytest.approx([0.9, 0.6, 1.4])
    assert (listener.underruns, listener.dry) == (0, 0.0)


def test_playback_that_runs_dry_is_counted_with_the_silence_it_left() -> None:
    listener = heard((0.0, SECOND), (1.25, SECOND), (2.75, SECOND))
    assert listener.underruns == 2
    assert listener.dry == pytest.approx(0.25 + 0.5)


def test_audio_saved_up_earlier_pays_for_a_later_pause() -> None:
    assert heard((0.0, SECOND * 3), (2.9, SECOND)).underruns == 0
    assert heard((0.0, SECOND * 3), (3.5, SECOND)).dry == pytest.approx(0.5)


def test_silence_after_the_last_byte_is_no_underrun() -> None:
    assert heard((0.0, SECOND), (0.5, SECOND), (60.0, b"")).underruns == 0


def test_reads_of_one_burst_are_one_chunk_and_cannot_run_dry() -> None:
    listener = heard((0.0, b"\0\0"), (BURST / 2, b"\0\0"), (BURST, SECOND))
    assert listener.gaps == []
    assert (listener.underruns, listener.dry) == (0, 0.0)


@given(
    st.lists(
        st.tuples(st.floats(0, 2), st.integers(1, 4 * RATE).map(lambda samples: b"\0" * 2 * samples)),
        min_size=1,
        max_size=20,
    )
)
def test_playing_ends_after_all_audio_and_all_silence(steps: list[tuple[float, bytes]]) -> None:
    at, events = 0.0, []
    for gap, data in steps:
        at += gap
        events.append((at, data))
    listener = heard(*events)
    # an independent way to the same number: play sample by sample, never before it arrived
    played = events[0][0]
    for arrived, data in events:
        played = max(played, arrived) + len(data) / (2 * RATE)
    silence = played - events[0][0] - listener.audio_seconds
    assert listener.dry <= silence + 1e-9
    assert listener.dry >= silence - BURST * len(events) - 1e-9
