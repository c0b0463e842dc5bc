"""What raises ends the requests it belongs to, and nothing else."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.fish_fakes import FakeCodec, FakeRunner
from tests.fish_loops import Clock, Outcomes, alone, request, run

from june_tts.errors import InvalidRequest
from june_tts.fish.events import Failed, LoopConfig
from june_tts.fish.loop import Loop
from june_tts.fish.sequence import Column, SamplingParams

pytestmark = pytest.mark.unit

CONFIG = LoopConfig(prefill_chunk=8, first_frames=2)


class Broken(Exception):
    pass


def breaks(at: int) -> Callable[[int], None]:
    def before(index: int) -> None:
        if index == at:
            raise Broken("words of the driver")

    return before


def assert_all_is_free(loop: Loop) -> None:
    stats = loop.stats()
    assert (stats.running, stats.waiting, stats.voicing) == (0, 0, 0)
    assert loop._scheduler.pool.free == stats.slots


@pytest.mark.parametrize("step", range(8))
def test_a_step_that_raises_ends_who_was_in_it_and_serves_the_next(step: int) -> None:
    runner = FakeRunner(slots=2)
    runner.before_step = breaks(step)
    loop = Loop(runner, FakeCodec(), CONFIG, clock=Clock())
    wanted = {name: request(name, length=14, prefix=9) for name in "abcd"}
    for each in wanted.values():
        loop.submit(each)
    outcomes = run(loop)
    failed = [name for name in wanted if isinstance(outcomes[name].end, Failed)]
    chunks, decodes = runner.steps[step]
    assert len(failed) == len(chunks) + len(decodes) > 0
    for name, each in wanted.items():
        if name in failed:
            assert outcomes[name].failed.retryable
            assert "words" not in outcomes[name].failed.message and "Broken" in outcomes[name].failed.message
        else:
            np.testing.assert_array_equal(outcomes[name].all_codes, alone(each, CONFIG).all_codes)
    assert_all_is_free(loop)
    assert (loop.stats().failed_steps, loop.stats().failures_in_row) == (1, 0)


def test_failures_in_a_row_are_counted_until_a_step_goes_well() -> None:
    runner = FakeRunner(slots=1)
    loop = Loop(runner, config=CONFIG, clock=Clock())
    for index in range(3):
        runner.before_step = breaks(index)
        loop.submit(request(str(index)))
        loop.turn()
        assert loop.stats().failures_in_row == index + 1
    loop.submit(request("good"))
    loop.turn()
    assert (loop.stats().failures_in_row, loop.stats().failed_steps) == (0, 3)


@pytest.mark.parametrize("answer", [lambda columns: columns[:-1], lambda columns: columns[::-1]])
def test_an_answer_for_other_slots_than_asked_fails_the_step(
    answer: Callable[[list[Column]], list[Column]],
) -> None:
    runner = FakeRunner(slots=2)
    runner.after_step = answer
    loop = Loop(runner, config=CONFIG, clock=Clock())
    for name in "ab":
        loop.submit(request(name, length=4))
    outcomes = run(loop)
    assert outcomes["a"].failed.retryable and outcomes["b"].failed.retryable
    assert_all_is_free(loop)


def test_codes_of_a_wrong_shape_fail_the_step() -> None:
    runner = FakeRunner(slots=1)
    runner.after_step = lambda columns: [Column(c.slot, c.token, c.codes[:2]) for c in columns]
    assert "shape" in alone(request(), runner=runner).failed.message


def test_what_a_step_raises_is_retryable_whatever_it_is() -> None:
    def before(index: int) -> None:
        raise InvalidRequest("said of one of many")

    runner = FakeRunner()
    runner.before_step = before
    got = alone(request(), runner=runner)
    assert (got.failed.message, got.failed.retryable) == ("said of one of many", True)


def test_a_codec_call_that_raises_ends_who_was_in_it() -> None:
    codec = FakeCodec()
    codec.before_decode = breaks(1)
    loop = Loop(FakeRunner(slots=3, end_every=0, illegal_every=0), codec, CONFIG, clock=Clock())
    ends = {"a": 2, "b": 9, "c": 9}
    for name, frames in ends.items():
        loop.submit(request(name, length=4, params=SamplingParams(max_frames=frames)))
    outcomes = run(loop)
    assert outcomes["a"].done.frames == 2
    failed = [name for name in "bc" if outcomes[name].failed.retryable]
    assert len(codec.calls[1]) == len(failed) == 2
    assert_all_is_free(loop)
    loop.submit(request("next"))
    assert run(loop)["next"].done.frames > 0


def test_what_raises_while_one_request_is_opened_ends_that_one() -> None:
    runner = FakeRunner()

    def before(params: SamplingParams) -> None:
        if params.seed == 7:
            raise InvalidRequest("top_k is not for this model", param="top_k")

    runner.before_open = before
    loop = Loop(runner, FakeCodec(), CONFIG, clock=Clock())
    loop.submit(request("bad", params=SamplingParams(seed=7)))
    loop.submit(request("good"))
    outcomes = run(loop)
    assert (outcomes["bad"].failed.message, outcomes["bad"].failed.retryable) == (
        "top_k is not for this model",
        False,
    )
    np.testing.assert_array_equal(outcomes["good"].all_codes, alone(request("good"), CONFIG).all_codes)
    assert_all_is_free(loop)


def test_a_stream_that_the_codec_cannot_open_ends_alone() -> None:
    codec = FakeCodec()
    opened: list[None] = []

    def before() -> None:
        opened.append(None)
        if len(opened) == 1:
            raise MemoryError

    codec.before_stream = before
    loop = Loop(FakeRunner(), codec, CONFIG, clock=Clock())
    for name in "ab":
        loop.submit(request(name))
    outcomes = run(loop)
    assert outcomes["a"].failed.retryable and outcomes["b"].done
    assert_all_is_free(loop)


def voices(loop: Loop, names: str) -> Outcomes:
    outcomes = Outcomes()
    for name in names:
        loop.submit(request(name, length=14, prefix=9))
        run(loop, outcomes)
    return outcomes


def broken() -> None:
    raise Broken


def test_a_prefix_that_cannot_be_kept_is_no_loss() -> None:
    runner = FakeRunner()
    runner.before_save = broken
    loop = Loop(runner, None, CONFIG, clock=Clock())
    outcomes = voices(loop, "ab")
    assert all(outcomes[name].done.frames for name in "ab")
    assert (loop.stats().prefixes, loop.stats().prefix_misses) == (0, 2)


def test_a_kept_prefix_that_cannot_be_loaded_ends_one_request_and_is_forgotten() -> None:
    runner = FakeRunner()
    loop = Loop(runner, None, CONFIG, clock=Clock())
    voices(loop, "a")
    runner.before_load = broken
    outcomes = voices(loop, "bc")
    assert outcomes["b"].failed.retryable and outcomes["c"].done.frames > 0
    assert (loop.stats().prefixes, loop.stats().prefix_misses) == (1, 2)
    assert_all_is_free(loop)
