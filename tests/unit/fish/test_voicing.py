"""Whose audio leaves in a turn, and what the codec is asked for."""

from collections.abc import Sequence

import numpy as np
import pytest
from tests.fish_fakes import FakeCodec
from tests.fish_loops import request

from june_tts.errors import EngineFailed
from june_tts.fish.pacing import Pace, PaceRules
from june_tts.fish.sequence import CodecStream, Codes, Stop
from june_tts.fish.stream import Stream
from june_tts.fish.voicing import Voicing
from june_tts.types import Samples

pytestmark = pytest.mark.unit

RULES = PaceRules(first_frames=4, most_frames=8, frame_seconds=0.05)


def stream(name: str, pending: int) -> Stream:
    made = Stream(request(name), Pace(RULES, realtime=True), 0.0)
    made.pending = [np.full(3, index % 4, np.int32) for index in range(pending)]
    return made


def voicing(turn_frames: int = 100, codec: FakeCodec | None = None) -> Voicing:
    return Voicing(codec, most_frames=8, turn_frames=turn_frames)


def names(streams: list[Stream]) -> list[str]:
    return [each.id for each in streams]


def test_half_a_chunk_leaves_with_another_streams_and_never_on_its_own() -> None:
    due, half, less = stream("due", 4), stream("half", 2), stream("less", 1)
    assert names(voicing().ready([half, less], now=0.0)) == []
    assert names(voicing().ready([less, half, due], now=0.0)) == ["due", "half"]


def test_the_driest_listener_is_served_first_where_not_all_can_be() -> None:
    wet, dry = stream("wet", 8), stream("dry", 8)
    wet.pace.sent(9, now=0.0)
    dry.pace.sent(5, now=0.0)
    assert names(voicing(turn_frames=8).ready([wet, dry], now=0.0)) == ["dry"]
    assert names(voicing(turn_frames=16).ready([wet, dry], now=0.0)) == ["dry", "wet"]


def test_the_last_frames_leave_however_few_they_are() -> None:
    last = stream("last", 1)
    last.stop = Stop.END
    assert names(voicing().ready([last], now=0.0)) == ["last"]


def test_nothing_leaves_for_a_reader_who_does_not_take_it() -> None:
    parked = stream("parked", 8)
    parked.parked, parked.stop = True, Stop.END
    assert names(voicing().ready([parked], now=0.0)) == []


def test_a_chunk_holds_the_oldest_frames() -> None:
    long = stream("long", 11)
    (chunk,) = voicing().decode([long])
    assert chunk.codes[0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3] and len(long.pending) == 3
    assert chunk.samples is None


class Deaf(FakeCodec):
    def decode(self, streams: Sequence[CodecStream], codes: Sequence[Codes]) -> list[Samples]:
        return [sound[1:] for sound in super().decode(streams, codes)]


def test_a_codec_that_makes_too_few_samples_is_found_out() -> None:
    each, broken = stream("a", 4), voicing(codec=Deaf())
    broken.open(each)
    with pytest.raises(EngineFailed, match=r"15.*16"):
        broken.decode([each])
