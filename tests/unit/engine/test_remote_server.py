"""Which remote server is asked: no socket, no waiting, a clock in the test's hand."""

import pytest

from june_tts.engine.remote_server import FIRST_PAUSE, LONGEST_PAUSE, Server, Servers

pytestmark = pytest.mark.unit


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def three() -> tuple[Servers, Clock]:
    clock = Clock()
    return Servers([Server(f"http://{name}") for name in "abc"], clock), clock


def names(servers: Servers, times: int) -> list[str]:
    return [picked.address[-1] for _ in range(times) if (picked := servers.pick(None))]


def test_the_one_with_the_fewest_requests_under_way_is_asked() -> None:
    servers, _ = three()
    a, b, c = servers.all
    a.outstanding, b.outstanding, c.outstanding = 2, 1, 3
    assert names(servers, 4) == ["b"] * 4


def test_equals_take_turns() -> None:
    servers, _ = three()
    assert sorted(names(servers, 3)) == ["a", "b", "c"]
    assert names(servers, 3) == names(servers, 3)


def test_one_that_failed_is_left_out_until_it_answers_a_check_after_its_pause() -> None:
    servers, clock = three()
    a, b, c = servers.all
    servers.failed(a, "down")
    assert "a" not in names(servers, 6)
    assert servers.to_check() == [b, c]
    clock.now += FIRST_PAUSE
    assert servers.to_check() == [a, b, c]
    assert "a" not in names(servers, 6)
    servers.answered(a)
    assert "a" in names(servers, 6)


def test_half_open_it_takes_one_request_at_a_time_until_one_works() -> None:
    servers, clock = three()
    a, b, c = servers.all
    servers.failed(a, "down")
    clock.now += FIRST_PAUSE
    servers.answered(a)
    a.outstanding, b.outstanding, c.outstanding = 1, 5, 5
    assert "a" not in names(servers, 6)
    servers.worked(a)
    assert names(servers, 2) == ["a", "a"]


def test_the_pause_doubles_with_each_failure_up_to_a_limit() -> None:
    servers, clock = three()
    a = servers.all[0]
    pauses = []
    for _ in range(10):
        servers.failed(a, "down")
        pauses.append(a.ejected_until - clock.now)
        clock.now = a.ejected_until
    assert pauses[:4] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, 8 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE


def test_failures_of_requests_that_were_under_way_together_count_once() -> None:
    servers, clock = three()
    a = servers.all[0]
    for _ in range(5):
        servers.failed(a, "down")
    assert a.ejected_until == clock.now + FIRST_PAUSE


def test_a_stream_that_ends_well_after_its_server_was_ejected_does_not_bring_it_back() -> None:
    servers, _ = three()
    a = servers.all[0]
    servers.failed(a, "down")
    servers.worked(a)
    assert not a.available


def test_those_that_were_tried_and_those_without_the_voice_are_not_asked() -> None:
    servers, _ = three()
    a, b, c = servers.all
    b.voices = ("anna",)
    c.voices = ("berta",)
    assert servers.pick("anna", tried=[a]) is b
    assert servers.pick("anna", tried=[a, b]) is None
    assert servers.pick(None, tried=[a, b]) is c


def test_the_next_piece_stays_with_its_server_while_that_is_available() -> None:
    servers, _ = three()
    a = servers.all[0]
    a.outstanding = 3
    assert servers.pick(None, last=a) is a
    servers.failed(a, "down")
    assert servers.pick(None, last=a) is not a


def test_a_server_that_speaks_is_not_checked() -> None:
    servers, _ = three()
    a, b, c = servers.all
    b.outstanding = 1
    assert servers.to_check() == [a, c]


def test_the_next_return_is_the_earliest() -> None:
    servers, clock = three()
    a, b, _ = servers.all
    assert servers.next_return() is None
    servers.failed(a, "down")
    clock.now += FIRST_PAUSE
    servers.failed(a, "down")
    servers.failed(b, "down")
    assert servers.next_return() == FIRST_PAUSE
