"""The whole decision, in made-up time: never above a limit, nobody forgotten, nothing leaked."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from june_tts.service.admission_ask import AdmissionRules, Ask, Refused, Ticket
from june_tts.service.admission_gate import MOST_RESTING, Gate
from june_tts.service.admission_limit import Limit
from june_tts.service.admission_stream import CONTENT_SECONDS, LOST_SECONDS, REST_SECONDS
from june_tts.service.terms import PRIORITIES, Terms

pytestmark = pytest.mark.unit

ENGINES = ("joe", "kokoro")


def gate(streams: int = 4, queue: int = 8, **waits: float) -> Gate:
    usual = {"interactive": 0.5, "normal": 5.0, "batch": 120.0} | waits
    return Gate(AdmissionRules(streams, queue, usual), lambda _: None)  # type: ignore[arg-type]


def ask(caller: str = "", **terms: Any) -> Ask:
    return Ask("joe", 100, Terms(caller, **terms))


def play(gate: Gate, ticket: Ticket, seconds: float, now: float, waited: float = 0.05) -> None:
    """Its reader waits and gets audio."""
    gate.asks(ticket, now)
    gate.hears(ticket, seconds, now + waited)


class Watched(Gate):
    """Looks at every start."""

    def _start(self, ticket: Ticket, now: float) -> None:
        load = self._load(ticket.ask.engine)
        assert not load.active or load.awake(now) < load.learned.playing.value
        super()._start(ticket, now)


class Crowded(RuleBasedStateMachine):
    """Any order of coming, waiting, playing, hearing, leaving."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.moved: list[Ticket] = []
        self.gate = Watched(AdmissionRules(3, 4), self.moved.append)
        self.all: list[Ticket] = []

    def playing(self) -> list[Ticket]:
        return [ticket for ticket in self.all if ticket.state == "playing"]

    def waiting(self) -> list[Ticket]:
        return [ticket for ticket in self.all if ticket.state == "waiting"]

    @rule(
        engine=st.sampled_from(ENGINES),
        caller=st.sampled_from("abc"),
        priority=st.sampled_from(PRIORITIES),
        characters=st.integers(0, 3000),
        ongoing=st.booleans(),
        due=st.none() | st.floats(0, 3),
    )
    def come(
        self, engine: str, caller: str, priority: Any, characters: int, ongoing: bool, due: float | None
    ) -> None:
        deadline = None if due is None else self.now + due
        try:
            terms = Terms(caller, priority, deadline)
            self.all.append(self.gate.enter(Ask(engine, characters, terms, ongoing), self.now))
        except Refused as refused:
            assert 0 <= refused.retry_after <= 10 and str(refused)

    @precondition(lambda self: self.playing())
    @rule(data=st.data(), seconds=st.floats(0.01, 3.0), waited=st.floats(0, 2.0))
    def hear(self, data: st.DataObject, seconds: float, waited: float) -> None:
        ticket = data.draw(st.sampled_from(self.playing()))
        self.gate.asks(ticket, self.now)
        self.now += waited
        self.gate.hears(ticket, seconds, self.now)

    @precondition(lambda self: self.playing())
    @rule(data=st.data(), words=st.booleans())
    def feed(self, data: st.DataObject, words: bool) -> None:
        self.gate.feeds(data.draw(st.sampled_from(self.playing())), words, self.now)

    @precondition(lambda self: self.all)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.all))
        self.gate.leave(ticket, self.now)
        self.gate.leave(ticket, self.now)
        assert ticket.state == "over"

    @rule(seconds=st.floats(0, 5))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for ticket in self.waiting():
            if ticket.leaves_at <= self.now:
                self.gate.expire(ticket, self.now)
        self.gate.look(self.now)

    @invariant()
    def counts_are_right(self) -> None:
        assert self.gate.active == len(self.playing()) <= 3 * MOST_RESTING
        assert self.gate.waiting == len(self.waiting()) <= 4
        assert self.gate.active == sum(self.gate.active_of(rank) for rank in range(4))

    @invariant()
    def nobody_waits_for_a_place_that_is_free(self) -> None:
        for ticket in self.waiting():
            assert not self.gate.can_start(ticket.ask.engine, self.now)

    @invariant()
    def whoever_left_the_queue_was_told(self) -> None:
        for ticket in self.moved:
            assert ticket.state == "playing" or ticket.state == "over"
        assert len(self.moved) == len(set(self.moved))

    def teardown(self) -> None:
        for ticket in self.all:
            self.gate.leave(ticket, self.now)
        assert (self.gate.active, self.gate.waiting) == (0, 0)
        for engine in ENGINES:
            assert self.gate.enter(Ask(engine, 1), self.now).state == "playing"


TestCrowded = Crowded.TestCase
TestCrowded.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_one_who_leaves_makes_room_for_the_next() -> None:
    one = gate(streams=1)
    first, second = one.enter(ask(), 0.0), one.enter(ask(), 0.0)
    assert (first.state, second.state) == ("playing", "waiting")
    one.leave(first, 0.1)
    assert second.state == "playing"


def test_readers_that_take_nothing_keep_nobody_waiting_but_there_is_an_end_of_them() -> None:
    one, now = gate(streams=2, queue=0), 0.0
    for _ in range(MOST_RESTING):
        for _ in range(2):
            ticket = one.enter(ask(), now)
            play(one, ticket, 0.1, now, waited=0.0)
        with pytest.raises(Refused):
            one.enter(ask(), now + REST_SECONDS)
        now += REST_SECONDS + 0.1
    with pytest.raises(Refused):
        one.enter(ask(), now)
    one.asks(ticket, now)
    assert one.active == 2 * MOST_RESTING, "they are where they were, and may go on"


def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    one = gate(streams=1, queue=1)
    one.enter(ask(), 0.0)
    one.enter(ask(), 0.0)
    with pytest.raises(Refused) as refused:
        one.enter(ask(), 0.0)
    assert refused.value.reason == "full" and refused.value.retry_after > 0


def test_a_caller_with_few_requests_displaces_one_with_many_in_a_full_queue() -> None:
    one = gate(streams=1, queue=2)
    one.enter(ask("many"), 0.0)
    _, last = one.enter(ask("many"), 0.0), one.enter(ask("many"), 0.0)
    assert one.enter(ask("one"), 0.0).state == "waiting"
    assert last.refused is not None and last.refused.reason == "displaced"


def busy(hold: float) -> tuple[Gate, Ticket, float]:
    """A gate of one place with somebody in it, whose streams were seen to take `hold` seconds."""
    one, now = gate(streams=1), 0.0
    ticket = one.enter(ask(), now)
    for _ in range(30):
        following = one.enter(ask("x", priority="batch"), now)
        now += hold
        one.leave(ticket, now)
        ticket = following
    return one, ticket, now


def test_who_would_wait_too_long_by_the_pace_is_refused_at_once() -> None:
    one, _, now = busy(hold=2.0)
    with pytest.raises(Refused) as refused:
        one.enter(ask(), now)
    assert refused.value.reason == "slow" and 3 < refused.value.retry_after < 5
    assert one.enter(ask(priority="normal"), now).state == "waiting"


def test_where_places_become_free_quickly_one_may_wait() -> None:
    one, _, now = busy(hold=0.2)
    assert one.enter(ask(), now).state == "waiting"


def test_those_refused_are_told_to_come_back_one_after_another() -> None:
    one, _, now = busy(hold=2.0)
    told = []
    for _ in range(3):
        with pytest.raises(Refused) as refused:
            one.enter(ask(), now)
        told.append(refused.value.retry_after)
    assert told == pytest.approx([4.0, 6.0, 8.0], rel=0.2)


def test_a_deadline_that_cannot_be_made_is_refused_at_once() -> None:
    one, _, now = busy(hold=0.15)
    with pytest.raises(Refused) as refused:
        one.enter(ask(deadline=now + 0.1), now)
    assert refused.value.reason == "deadline"
    assert one.enter(ask(deadline=now + 0.9), now).state == "waiting"


def test_first_audio_itself_counts_against_the_deadline() -> None:
    one = gate(streams=4)
    for now in (0.0, 10.0):
        ticket = one.enter(ask(), now)
        play(one, ticket, 9.0, now, waited=1.0)
        if not now:
            one.leave(ticket, 2.0)
    with pytest.raises(Refused) as refused:
        one.enter(ask(deadline=11.5), 11.0)
    assert refused.value.reason == "deadline"


def test_an_idle_engine_is_tried_whatever_was_measured_of_it() -> None:
    one = gate()
    ticket = one.enter(ask(), 0.0)
    play(one, ticket, 1.0, 0.0, waited=5.0)
    one.leave(ticket, 6.0)
    assert one.enter(ask(deadline=10.5), 10.0).state == "playing"
    with pytest.raises(Refused):
        one.enter(ask(deadline=9.9), 10.0)


def test_one_whose_deadline_passes_in_the_queue_leaves_it_then() -> None:
    one = gate(streams=1)
    one.enter(ask(), 0.0)
    ticket = one.enter(ask(deadline=0.2), 0.0)
    assert ticket.leaves_at == pytest.approx(0.2)
    one.expire(ticket, 0.2)
    assert ticket.refused is not None and ticket.refused.reason == "deadline" and one.waiting == 0


def test_one_that_has_waited_long_enough_leaves() -> None:
    one = gate(streams=1)
    one.enter(ask(), 0.0)
    ticket = one.enter(ask(deadline=100.0), 0.0)
    assert ticket.leaves_at == pytest.approx(0.5)
    one.expire(ticket, 0.5)
    assert ticket.refused is not None and ticket.refused.reason == "waited"


def test_nothing_begins_beside_a_stream_that_is_about_to_fall_silent() -> None:
    one = gate()
    playing = one.enter(ask(), 0.0)
    play(one, playing, 0.5, 0.0)
    one.asks(playing, 0.1)
    second = one.enter(ask(), 0.5)
    assert [second.state, one.waiting] == ["waiting", 1]
    one.hears(playing, 2.0, 0.6)
    assert [second.state, one.waiting] == ["playing", 0]


def test_where_more_play_than_ever_did_well_each_has_to_be_far_ahead() -> None:
    one = gate()
    playing = one.enter(ask(), 0.0)
    play(one, playing, 0.5, 0.0)
    one.asks(playing, 0.1)
    # 0.15 s ahead of silence, 0.45 after its first audio: not about to fall silent, and hardly ahead
    second = one.enter(ask(), 0.44)
    assert second.state == "waiting"
    one.leave(second, 0.44)
    one._load("joe").learned.playing.proven = 2
    assert one.enter(ask(), 0.44).state == "playing"


def test_a_listener_who_is_lost_keeps_nobody_out() -> None:
    one = gate()
    playing = one.enter(ask(), 0.0)
    play(one, playing, 0.5, 0.0)
    one.asks(playing, 0.1)
    assert one.enter(ask(), 0.5 + LOST_SECONDS + 0.1).state == "playing"


def test_a_reader_that_takes_its_time_keeps_nobody_out() -> None:
    one = gate()
    playing, now = one.enter(ask(), 0.0), 0.0
    for _ in range(20):
        play(one, playing, 0.02, now, waited=0.0001)
        now += 0.02
    one.asks(playing, now)
    assert one.enter(ask(), now + 0.006).state == "playing"


def test_rooms_that_play_what_they_took_cost_an_engine_nothing_meanwhile() -> None:
    one = gate(streams=8)
    learned = one._load("joe").learned
    learned.playing = Limit(1, 1)
    playing = [one.enter(ask(), 0.0)]
    play(one, playing[0], 1.4, 0.0)
    following = one.enter(ask(), 0.1)
    assert (following.state, one.waiting) == ("waiting", 1)
    one.look(0.1 + CONTENT_SECONDS)
    assert [following.state, one.waiting] == ["playing", 0]
    play(one, following, 1.4, 0.4)
    assert one.enter(ask(), 1.0).state == "playing"
    one.asks(playing[0], 1.2)
    assert one.enter(ask(), 1.21).state == "waiting", "one of them wants more now"


def test_what_is_said_in_a_room_would_rather_wait_than_be_refused() -> None:
    one, _, now = busy(hold=2.0)
    with pytest.raises(Refused):
        one.enter(ask(), now)
    assert one.enter(ask(patient=True), now).state == "waiting"


def test_a_stream_whose_words_are_still_being_written_keeps_nobody_out() -> None:
    one = gate()
    playing = one.enter(ask(), 0.0)
    play(one, playing, 0.5, 0.0)
    one.asks(playing, 0.1)
    second = one.enter(ask(), 0.6)
    assert second.state == "waiting"
    one.feeds(playing, words=False, now=0.65)
    assert [second.state, one.waiting] == ["playing", 0]


def test_streams_that_end_before_their_first_audio_take_no_place_from_those_that_begin() -> None:
    one = gate(streams=3)
    for _ in range(5):
        one.leave(one.enter(ask(), 0.0), 0.1)
    assert [one.enter(ask(), 0.2).state for _ in range(3)] == ["playing"] * 3


def test_who_keeps_asking_for_more_than_there_is_waits_no_longer_but_others_do() -> None:
    one, now = gate(streams=1, queue=100), 0.0
    refused_at: list[float] = []
    while now < 3.0:
        # one begins every 100 ms, three more come meanwhile and would have to wait for 100 ms
        ticket = one.enter(ask("many"), now)
        play(one, ticket, 9.0, now)
        for _ in range(3):
            now += 0.03
            try:
                one.leave(one.enter(ask("many"), now), now)
            except Refused as refused:
                assert refused.reason == "slow"
                refused_at.append(now)
        now += 0.01
        one.leave(ticket, now)
    assert 0.5 < refused_at[0] < 1.5 and len(refused_at) > 30
    one.enter(ask("many"), now)
    assert one.enter(ask("one"), now).state == "waiting"


def test_a_gate_that_stops_sends_away_who_waits_and_lets_in_nobody() -> None:
    one = gate(streams=1)
    playing, waiting = one.enter(ask(), 0.0), one.enter(ask(), 0.0)
    one.stop()
    assert playing.state == "playing" and waiting.refused is not None
    with pytest.raises(Refused) as refused:
        one.enter(ask(), 0.0)
    assert refused.value.reason == "stopping"
    one.go_on()
    assert one.enter(ask(), 0.0).state == "waiting"
