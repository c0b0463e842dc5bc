"""The schedule: who runs next, who sleeps, and that nobody is lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from june_tts.engine.schedule import START_SLACK_SECONDS, Listening, Schedule, Ticket
from june_tts.types import Samples

pytestmark = pytest.mark.unit

RATE = 1000


def ticket(came_at: float, stream: Listening | None = None) -> Ticket:
    return Ticket(iter(()), stream or Listening(RATE, came_at))


def audio(seconds: float) -> Samples:
    return np.ones(int(seconds * RATE), dtype=np.float32)


def test_the_first_to_come_runs_first() -> None:
    schedule = Schedule(ahead_seconds=10)
    late, early = ticket(2.0), ticket(1.0)
    schedule.admit(late)
    schedule.admit(early)
    assert schedule.next() is early


def test_a_starting_stream_goes_before_one_that_is_ahead_of_its_listener() -> None:
    schedule = Schedule(ahead_seconds=10)
    playing, starting = ticket(0.0), ticket(1.0)
    schedule.admit(playing)
    schedule.stepped(schedule.next(), audio(5.0), now=0.5)
    schedule.admit(starting)
    assert schedule.next() is starting


def test_a_stream_about_to_fall_silent_goes_before_one_that_starts() -> None:
    schedule = Schedule(ahead_seconds=10)
    playing, starting = ticket(0.0), ticket(1.0)
    schedule.admit(playing)
    schedule.stepped(schedule.next(), audio(0.5), now=0.5)
    assert playing.deadline < 1.0 + START_SLACK_SECONDS
    schedule.admit(starting)
    assert schedule.next() is playing


def test_the_next_piece_of_a_stream_waits_for_a_stream_that_starts() -> None:
    schedule = Schedule(ahead_seconds=10)
    heard, starting = ticket(0.0), ticket(0.9)
    schedule.admit(heard)
    schedule.stepped(schedule.next(), audio(1.0), now=0.1)
    schedule.admit(ticket(0.0, heard.stream))
    schedule.admit(starting)
    assert schedule.next() is starting
    assert schedule.next() is heard
    assert schedule.next().stream is heard.stream


def test_the_next_piece_becomes_urgent_when_the_one_before_it_is_over() -> None:
    schedule = Schedule(ahead_seconds=10)
    heard, starting = ticket(0.0), ticket(3.0)
    after = ticket(0.0, heard.stream)
    schedule.admit(heard)
    schedule.stepped(schedule.next(), audio(1.0), now=0.1)
    schedule.admit(after)
    schedule.admit(starting)
    before = after.deadline
    schedule.end(heard)
    assert after.deadline < before
    assert schedule.can_run()
    assert schedule.next() is after


def test_a_stream_too_far_ahead_sleeps_until_its_reader_takes_audio() -> None:
    schedule = Schedule(ahead_seconds=1)
    one = ticket(0.0)
    schedule.admit(one)
    schedule.stepped(schedule.next(), audio(1.5), now=0.1)
    assert not schedule.can_run()
    assert schedule.took(one.stream, 0.4) == 0
    assert schedule.took(one.stream, 0.4) == 1
    assert schedule.next() is one


def test_what_a_later_piece_has_made_never_parks_the_one_being_heard() -> None:
    schedule = Schedule(ahead_seconds=1)
    heard = ticket(0.0)
    after = ticket(0.0, heard.stream)
    schedule.admit(heard)
    schedule.admit(after)
    assert schedule.next() is heard
    assert schedule.next() is after
    schedule.stepped(after, audio(5.0), now=0.1)
    assert after.state == "parked"
    schedule.stepped(heard, audio(0.5), now=0.2)
    assert schedule.next() is heard


def test_a_cancelled_ticket_never_runs_again() -> None:
    schedule = Schedule(ahead_seconds=1)
    one, other = ticket(0.0), ticket(1.0)
    schedule.admit(one)
    schedule.admit(other)
    schedule.end(one)
    schedule.end(one)
    assert schedule.active == 1
    assert schedule.can_run()
    assert schedule.next() is other
    schedule.stepped(other, None, now=2.0)
    assert schedule.next() is other


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("anset"), st.integers(0, 7)), max_size=80))
def test_every_ticket_is_ready_running_parked_or_ended_and_runs_at_most_once_at_a_time(
    moves: list[tuple[str, int]],
) -> None:
    schedule, tickets, running = Schedule(ahead_seconds=0.5), list[Ticket](), set[int]()
    clock = 0.0
    for move, which in moves:
        clock += 0.05
        if move == "a":
            tickets.append(ticket(clock))
            schedule.admit(tickets[-1])
        elif move == "n" and tickets:
            tickets.append(ticket(clock, tickets[which % len(tickets)].stream))
            schedule.admit(tickets[-1])
        elif move == "s" and schedule.can_run():
            taken = schedule.next()
            assert id(taken) not in running
            running.add(id(taken))
        elif tickets:
            _move(schedule, tickets[which % len(tickets)], move, running, clock)
        _check(schedule, tickets, running)


def _move(schedule: Schedule, one: Ticket, move: str, running: set[int], clock: float) -> None:
    if move == "e" and id(one) in running:
        running.discard(id(one))
        schedule.stepped(one, audio(0.2), clock)
    elif move == "t":
        schedule.took(one.stream, 0.1)
    elif move == "e":
        schedule.end(one)


def _check(schedule: Schedule, tickets: list[Ticket], running: set[int]) -> None:
    alive = [t for t in tickets if t.state != "ended"]
    assert schedule.active == len(alive)
    assert {id(t) for t in alive if t.state == "running"} == running
    # whatever is ready can be reached, and the piece that is heard is first in its line
    assert schedule.can_run() == any(t.state == "ready" for t in tickets)
    assert all(t in t.stream.line for t in alive)
    assert all(t.stream.line[0].state != "ended" for t in alive)
