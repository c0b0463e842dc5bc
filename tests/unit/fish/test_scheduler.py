"""Who is in the next step, and with what of its prompt."""

import pytest
from tests.fish_loops import request

from june_tts.errors import Overloaded
from june_tts.fish.pacing import Pace, PaceRules
from june_tts.fish.prefixes import Prefixes, prefix_key
from june_tts.fish.scheduler import Scheduler
from june_tts.fish.stream import Stream

pytestmark = pytest.mark.unit

CHUNK = 8
RULES = PaceRules(first_frames=2, most_frames=20, frame_seconds=0.05)


def scheduler(*, slots: int = 4, max_batch: int = 4, max_waiting: int = 2) -> Scheduler:
    return Scheduler(
        slots=slots,
        max_batch=max_batch,
        max_waiting=max_waiting,
        prefill_chunk=CHUNK,
        prefixes=Prefixes(1000),
    )


def stream(name: str, length: int = 10, *, prefix: int = 0, realtime: bool = True) -> Stream:
    wanted = request(name, length=length, prefix=prefix, realtime=realtime)
    key = prefix_key(wanted.columns[:, :prefix]) if prefix else None
    return Stream(wanted, Pace(RULES, realtime=realtime), 0.0, key=key)


def admitted(plan: Scheduler, *streams: Stream, playing: bool = False) -> None:
    for each in streams:
        plan.submit(each)
        while plan.can_admit():
            plan.admit(0.0)
        if playing:
            each.filled = each.length


def names(streams: list[Stream]) -> list[str]:
    return [each.id for each in streams]


def test_requests_are_admitted_in_their_order_while_slots_are_free() -> None:
    line = scheduler(slots=2)
    for name in "abc":
        line.submit(stream(name))
    assert [line.admit(0.0).id, line.admit(0.0).id] == ["a", "b"]
    assert not line.can_admit()
    line.end(line.running[0])
    assert (line.admit(0.0).id, line.running[-1].slot) == ("c", 0)


def test_one_request_too_many_is_refused() -> None:
    line = scheduler(slots=1, max_waiting=1)
    line.submit(stream("a"))
    line.submit(stream("b"))
    with pytest.raises(Overloaded):
        line.submit(stream("c"))
    line.admit(0.0)
    with pytest.raises(Overloaded):
        line.submit(stream("c"))
    line.end(line.waiting[0])
    line.submit(stream("c"))


@pytest.mark.parametrize(("length", "prefix"), [(30, 0), (30, 19), (9, 8), (17, 16), (8, 3)])
def test_the_grid_is_the_requests_own(length: int, prefix: int) -> None:
    each = stream("a", length, prefix=prefix)
    cuts = [0]
    while each.prefilling:
        start, end = each.stretch(CHUNK)
        assert start == cuts[-1] and end - start <= CHUNK
        cuts.append(end)
        each.filled = end
    assert cuts == [*range(0, prefix, CHUNK), *range(prefix, length, CHUNK), length]
    each.filled = prefix  # loaded from what was kept
    assert [each.stretch(CHUNK)[1]] == [cuts[cuts.index(prefix) + 1]]


def test_a_step_computes_one_chunk_of_columns_at_most_and_every_playing_stream() -> None:
    line = scheduler(slots=8, max_batch=8)
    playing = [stream(name) for name in "abc"]
    admitted(line, *playing, playing=True)
    admitted(line, stream("long", 1000), stream("longer", 2000))
    for _ in range(20):
        plan = line.plan(0.0)
        assert plan.prefill_columns == CHUNK and names(plan.decodes) == ["a", "b", "c"]
        line.ran(plan, 0.0)


def test_short_prompts_share_a_step() -> None:
    line = scheduler()
    admitted(line, stream("a", 3), stream("b", 6), stream("c", 5))
    plan = line.plan(0.0)
    assert names(plan.prefills) == ["a", "c"]  # b's chunk is never cut: its grid is its own
    assert [chunk.last for chunk in plan.chunks] == [True, True]
    line.ran(plan, 0.0)
    assert names(line.plan(0.0).prefills) == ["b"]


def test_who_runs_dry_first_goes_first_where_not_all_fit() -> None:
    line = scheduler(max_batch=2)
    ahead, dry, starting = stream("ahead"), stream("dry"), stream("starting")
    admitted(line, ahead, dry, playing=True)
    ahead.pace.sent(20, now=0.0)
    dry.pace.sent(2, now=0.0)
    admitted(line, starting)
    plan = line.plan(0.05)
    assert (names(plan.decodes), names(plan.prefills)) == (["dry"], ["starting"])
    ahead.pace, dry.pace = dry.pace, ahead.pace
    assert names(line.plan(0.05).decodes) == ["ahead"]


def test_a_start_never_delays_who_is_about_to_run_dry() -> None:
    line = scheduler(max_batch=1)
    dry = stream("dry")
    admitted(line, dry, playing=True)
    admitted(line, stream("starting"))
    dry.pace.sent(2, now=0.0)
    assert names(line.plan(0.05).streams) == ["dry"]


def test_where_nobody_listens_a_stream_stands_back_but_not_for_ever() -> None:
    line = scheduler(max_batch=1)
    file, listener = stream("file", realtime=False), stream("listener")
    admitted(line, file, listener, playing=True)
    listener.pace.sent(100, now=0.0)  # hears until 5.0
    file.stepped_at = 3.1
    assert names(line.plan(4.0).streams) == ["listener"]
    file.stepped_at = 2.9
    assert names(line.plan(4.0).streams) == ["file"]


def test_a_parked_stream_keeps_its_slot_and_makes_nothing() -> None:
    line = scheduler()
    parked = stream("a")
    admitted(line, parked, playing=True)
    parked.parked = True
    assert not line.plan(0.0).streams and not line.can_plan()
    assert parked.slot == 0 and line.pool.free == 3


def test_requests_of_one_voice_wait_for_the_first_to_compute_it() -> None:
    line = scheduler()
    first, second = stream("a", 20, prefix=12), stream("b", 20, prefix=12)
    admitted(line, first, second)
    assert names(line.plan(0.0).prefills) == ["a"]
    line.ran(line.plan(0.0), 0.0)
    plan = line.plan(0.0)
    assert (names(plan.prefills), plan.prefill_columns) == (["a"], 4)
    assert line.ran(plan, 0.0) == [first]
    assert names(line.plan(0.0).prefills) == ["a"]  # 8 columns again; b's turn would come with what was kept


def test_the_next_of_a_voice_computes_it_if_the_first_leaves() -> None:
    line = scheduler()
    first, second = stream("a", 20, prefix=12), stream("b", 20, prefix=12)
    admitted(line, first, second)
    line.ran(line.plan(0.0), 0.0)
    line.end(first)
    assert names(line.plan(0.0).prefills) == ["b"]


def test_a_listener_does_not_wait_for_a_voice_that_a_file_computes() -> None:
    line = scheduler()
    file, listener = stream("a", 20, prefix=12, realtime=False), stream("b", 20, prefix=12)
    admitted(line, file)
    line.ran(line.plan(0.0), 0.0)
    admitted(line, listener)
    assert names(line.plan(0.0).prefills) == ["b"]
