"""Fairness between callers of one class, and the order of the classes."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from june_tts.service.admission_ask import Ask, Ticket
from june_tts.service.admission_fair import QUANTUM, FairLine
from june_tts.service.admission_line import AGING_SECONDS, Line
from june_tts.service.terms import Priority, Terms

pytestmark = pytest.mark.unit

LONGEST = 5000


def ticket(caller: str, characters: int = 100, priority: Priority = "interactive") -> Ticket:
    return Ticket(Ask("joe", characters, Terms(caller, priority)), 0.0)


def callers(line: FairLine, count: int) -> list[str]:
    return [line.take(0.0).ask.terms.caller for _ in range(count)]


def test_a_thousand_requests_of_one_caller_delay_anothers_by_one_turn() -> None:
    line = FairLine(1, "joe")
    for _ in range(1000):
        line.put(ticket("many"), 0.0)
    line.put(ticket("one"), 0.0)
    assert "one" in callers(line, QUANTUM // 100 + 1)


def test_requests_of_one_caller_keep_their_order() -> None:
    line, tickets = FairLine(1, "joe"), [ticket("a", n) for n in (900, 1, 500, 20)]
    for each in tickets:
        line.put(each, 0.0)
    assert [line.take(0.0) for _ in tickets] == tickets


def test_a_book_among_books_is_found_in_one_step() -> None:
    line = FairLine(1, "joe")
    for caller in "ab":
        line.put(ticket(caller, 10_000_000), 0.0)
    assert set(callers(line, 2)) == {"a", "b"} and not line


def test_how_many_go_before_is_counted_by_turns() -> None:
    line = FairLine(1, "joe")
    for _ in range(1000):
        line.put(ticket("many"), 0.0)
    assert (line.ahead_of("one"), line.ahead_of("many")) == (1, 1000)


Queued = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, LONGEST)), min_size=1, max_size=120)


@given(Queued, st.data())
@settings(deadline=None)
def test_callers_who_always_wait_get_equally_many_characters(
    queued: list[tuple[str, int]], data: st.DataObject
) -> None:
    line = FairLine(1, "joe")
    for caller, characters in queued:
        line.put(ticket(caller, characters), 0.0)
    left = Counter(caller for caller, _ in queued)
    served = Counter(dict.fromkeys(left, 0))
    while all(left.values()):
        taken = line.take(0.0)
        caller = taken.ask.terms.caller
        left[caller] -= 1
        served[caller] += taken.ask.characters
        if data.draw(st.booleans(), "more") and len(line) < 200:
            line.put(ticket(caller, characters := data.draw(st.integers(1, LONGEST))), 0.0)
            left[caller] += bool(characters)
        # what Shreedhar and Varghese prove: a quantum and a longest request on either side
        assert max(served.values()) - min(served.values()) <= 2 * (QUANTUM + LONGEST)
        if sum(served.values()) > 40 * LONGEST:
            break


@given(Queued, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_nobody_is_lost_or_served_twice(queued: list[tuple[str, int]], chance: object) -> None:
    line, tickets = FairLine(1, "joe"), [ticket(*each) for each in queued]
    for each in tickets:
        line.put(each, 0.0)
    gone = set(tickets[:: getattr(chance, "randint")(2, 5)])  # noqa: B009  typed as object by hypothesis
    for each in gone:
        line.remove(each)
    taken = [line.take(0.0) for _ in range(len(line))]
    assert len(taken) == len(set(taken)) and set(taken) == set(tickets) - gone
    assert not line and line.all() == []


def line_of(*priorities: Priority) -> Line:
    line = Line(100)
    for priority in priorities:
        line.put(ticket("", priority=priority), 0.0)
    return line


def order(line: Line, now: float) -> list[str]:
    taken: list[str] = []
    while (found := line.take(lambda _: True, now)) is not None:
        taken.append(found.ask.terms.priority)
    return taken


def test_the_more_urgent_class_goes_first() -> None:
    assert order(line_of("batch", "normal", "interactive", "batch"), 0.1) == [
        *("interactive", "normal", "batch", "batch")
    ]


def test_a_turn_that_goes_on_goes_before_all() -> None:
    line = line_of("interactive")
    ongoing = Ticket(Ask("joe", 1, Terms(priority="batch"), ongoing=True), 0.0)
    line.put(ongoing, 0.0)
    assert line.take(lambda _: True, 0.1) is ongoing


def test_a_class_that_waits_too_long_gets_one_turn_and_then_waits_again() -> None:
    line = line_of("batch", "batch", "interactive", "interactive")
    late = AGING_SECONDS["batch"]
    assert order(line, late) == ["batch", "interactive", "interactive", "batch"]


@given(st.integers(1, 20))
def test_batch_is_served_under_any_load_of_higher_classes(rate: int) -> None:
    line, batch = Line(1000), ticket("", priority="batch")
    line.put(batch, 0.0)
    now = 0.0
    while now <= AGING_SECONDS["batch"] + 1 / rate:
        line.put(ticket("", priority="interactive"), now)
        line.put(ticket("", priority="normal"), now)
        if line.take(lambda _: True, now) is batch:
            return
        now += 1 / rate
    raise AssertionError("it was never served")


def test_who_waits_for_another_engine_is_passed_over() -> None:
    line, other = Line(10), Ticket(Ask("kokoro", 1), 0.0)
    line.put(ticket(""), 0.0)
    line.put(other, 0.0)
    assert line.take(lambda engine: engine == "kokoro", 0.0) is other
    assert line.take(lambda engine: engine == "kokoro", 0.0) is None and len(line) == 1


def test_in_a_full_queue_the_lowest_class_gives_way_and_then_the_caller_with_most() -> None:
    line = line_of("interactive", "batch")
    gives = line.gives_way(ticket("x"))
    assert gives is not None and gives.ask.terms.priority == "batch"
    line = Line(10)
    for _ in range(3):
        line.put(ticket("many"), 0.0)
    gives = line.gives_way(ticket("one"))
    assert gives is not None and gives.ask.terms.caller == "many"
    assert line.gives_way(ticket("many")) is None
    assert line.gives_way(ticket("one", priority="batch")) is None
