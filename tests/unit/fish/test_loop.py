"""One loop over a fake model: what requests get, and when they end."""

import numpy as np
import pytest
from tests.fish_fakes import IM_END, SEMANTIC_BEGIN, TEXT_TOKEN, FakeCodec, FakeRunner, prompt
from tests.fish_loops import Clock, Outcome, Outcomes, alone, request, run

from june_tts.errors import InvalidRequest, JuneError, Overloaded, SettingsError, TextTooLong
from june_tts.fish.events import Done, Frames, LoopConfig, Request
from june_tts.fish.loop import Loop
from june_tts.fish.sequence import Column, SamplingParams, Stop

pytestmark = pytest.mark.unit


def saying(*tokens: int, last_code: int = 0) -> FakeRunner:
    """A model that makes these slow tokens, the last one for ever."""
    runner = FakeRunner(1, end_every=0, illegal_every=0)
    made = 0

    def after(columns: list[Column]) -> list[Column]:
        nonlocal made
        said = []
        for column in columns:
            token = tokens[min(made, len(tokens) - 1)]
            made += 1
            codes = np.array([max(token - SEMANTIC_BEGIN, 0), 1, last_code], np.int32)
            said.append(Column(column.slot, token, codes))
        return said

    runner.after_step = after
    return runner


def spoken(runner: FakeRunner, config: LoopConfig | None = None, **params: int) -> Outcome:
    return alone(request(params=SamplingParams(**params)), config, runner)  # type: ignore[arg-type]  # ints alone


A, B, C = SEMANTIC_BEGIN, SEMANTIC_BEGIN + 1, SEMANTIC_BEGIN + 2


def test_the_column_of_im_end_is_no_audio() -> None:
    got = spoken(saying(A, B, IM_END))
    assert (got.done.stop, got.done.frames) == (Stop.END, 2)
    assert got.all_codes[0].tolist() == [0, 1]
    assert got.done.columns is not None and got.done.columns[0].tolist() == [A, B, IM_END]


def test_im_end_ends_also_as_the_very_first_column() -> None:
    got = spoken(saying(IM_END))
    assert (got.done.stop, got.done.frames, got.codes) == (Stop.END, 0, [])


def test_the_last_frame_before_the_limit_is_audio() -> None:
    got = spoken(saying(A, B, C, A), max_frames=3)
    assert (got.done.stop, got.all_codes[0].tolist()) == (Stop.LIMIT, [0, 1, 2])


def test_im_end_at_the_limit_is_an_end() -> None:
    assert spoken(saying(A, IM_END), max_frames=2).done.stop is Stop.END


def test_a_sequence_uses_every_position_of_its_slot() -> None:
    got = alone(
        request(length=90, params=SamplingParams(max_frames=500)),
        runner=FakeRunner(1, 96, end_every=0, illegal_every=0),
    )
    # the prompt's last position makes the first frame; positions 90 .. 95 take one each
    assert (got.done.stop, got.done.frames) == (Stop.CONTEXT, 7)


def test_the_same_token_again_and_again_ends_it_only_where_that_is_asked_for() -> None:
    stuck = (A, B, B, A, C)
    assert spoken(saying(*stuck), repeat_guard=3, max_frames=30).done.frames == 7
    assert spoken(saying(*stuck), repeat_guard=3, max_frames=30).done.stop is Stop.REPEAT
    assert spoken(saying(*stuck), max_frames=30).done.stop is Stop.LIMIT


def test_a_frame_that_is_no_audio_is_dropped_and_the_model_goes_on() -> None:
    got = spoken(saying(A, TEXT_TOKEN, B, SEMANTIC_BEGIN + 8, C, IM_END))
    assert (got.done.stop, got.done.frames, got.done.illegal) == (Stop.END, 3, 2)
    assert got.all_codes[0].tolist() == [0, 1, 2]
    assert got.done.columns is not None and got.done.columns.shape[1] == 6


@pytest.mark.parametrize("code", [-1, 4])
def test_a_code_outside_its_codebook_never_leaves(code: int) -> None:
    got = spoken(saying(A, last_code=code), max_frames=5)
    assert (got.done.stop, got.done.frames, got.done.illegal) == (Stop.LIMIT, 0, 5)


def test_many_frames_in_a_row_that_are_no_audio_end_it() -> None:
    lost = (A, TEXT_TOKEN, TEXT_TOKEN, B, TEXT_TOKEN)
    got = spoken(saying(*lost), LoopConfig(illegal_guard=3), max_frames=30)
    assert (got.done.stop, got.done.frames, got.done.illegal) == (Stop.ILLEGAL, 2, 5)
    assert spoken(saying(*lost), LoopConfig(illegal_guard=0), max_frames=30).done.stop is Stop.LIMIT


def test_samples_and_codes_are_the_same_in_any_chunks() -> None:
    wanted = request(params=SamplingParams(max_frames=60, min_frames=40, seed=3))
    whole = alone(wanted, LoopConfig(first_frames=64, most_frames=64))
    assert len(whole.codes) == 1
    for first, most in ((1, 1), (2, 7), (3, 32)):
        pieces = alone(wanted, LoopConfig(first_frames=first, most_frames=most))
        assert pieces.codes[0].shape[1] == first
        np.testing.assert_array_equal(pieces.all_codes, whole.all_codes)
        np.testing.assert_array_equal(pieces.all_samples, whole.all_samples)


def test_without_a_codec_codes_leave_alone() -> None:
    got = alone(request(), codec=False)
    assert got.samples == [] and got.done.frames == got.all_codes.shape[1] > 0


def test_first_audio_leaves_while_the_rest_is_yet_to_be_made() -> None:
    clock = Clock()
    loop = Loop(
        FakeRunner(end_every=0, illegal_every=0), FakeCodec(), LoopConfig(first_frames=2), clock=clock
    )
    loop.submit(request("a", params=SamplingParams(max_frames=50)))
    for turn in range(2):
        clock.now = 1.0 + turn
        events = loop.turn()
    assert [type(event) for event in events] == [Frames]
    loop.cancel("a")
    (done,) = loop.turn()
    assert isinstance(done, Done)
    assert (done.timings.first_frame, done.timings.first_audio, done.timings.ended) == (1.0, 2.0, 2.0)
    assert (done.timings.admitted, done.frames) == (1.0, 2)


def test_codes_do_not_depend_on_whether_the_voice_was_kept() -> None:
    runner, codec = FakeRunner(), FakeCodec()
    config = LoopConfig(prefill_chunk=8)
    loop = Loop(runner, codec, config, clock=Clock())
    outcomes = Outcomes()
    for name in ("a", "b"):
        loop.submit(request(name, length=30, prefix=19, text=4))
        run(loop, outcomes)
    cold = alone(request(length=30, prefix=19, text=4), LoopConfig(prefill_chunk=8, prefix_bytes=0))
    for name in ("a", "b"):
        np.testing.assert_array_equal(outcomes[name].all_codes, cold.all_codes)
    stats = loop.stats()
    assert (runner.saves, runner.loads) == (1, 1)
    assert (stats.prefix_hits, stats.prefix_misses, stats.prefixes, stats.prefix_bytes) == (1, 1, 1, 190)
    assert stats.prefill_columns == 30 + 11


def test_a_burst_of_one_voice_computes_it_once() -> None:
    runner = FakeRunner(slots=4)
    loop = Loop(runner, None, LoopConfig(prefill_chunk=8), clock=Clock())
    for name in "abcd":
        loop.submit(request(name, length=40, prefix=35))
    run(loop)
    assert (runner.saves, runner.loads) == (1, 3)
    assert loop.stats().prefill_columns == 35 + 4 * 5


@pytest.mark.parametrize("prefix_bytes", [0, 189])
def test_a_voice_that_cannot_be_kept_is_not_copied(prefix_bytes: int) -> None:
    runner = FakeRunner()
    loop = Loop(runner, None, LoopConfig(prefix_bytes=prefix_bytes), clock=Clock())
    loop.submit(request("a", length=30, prefix=19))
    run(loop)
    assert (runner.saves, loop.stats().prefix_misses) == (0, 0)


def test_a_long_prompt_does_not_stall_a_stream_that_plays() -> None:
    runner = FakeRunner(slots=2, positions=4000, end_every=0, illegal_every=0)
    loop = Loop(runner, None, LoopConfig(prefill_chunk=16, illegal_guard=0), clock=Clock())
    loop.submit(request("playing", length=4, params=SamplingParams(max_frames=300)))
    loop.turn()
    loop.submit(request("long", length=3000))
    for turn in range(150):
        loop.turn()
        chunks, decodes = runner.steps[-1]
        assert decodes == [0] and sum(chunk.columns.shape[1] for chunk in chunks) <= 16
        assert loop.stats().frames == 2 + turn
    assert loop.stats().prefill_columns == 4 + 150 * 16


def test_cancelling_frees_the_slot_before_the_next_frame() -> None:
    runner = FakeRunner(slots=1, end_every=0)
    loop = Loop(runner, FakeCodec(), clock=Clock())
    loop.submit(request("a"))
    loop.turn()
    loop.submit(request("b"))
    assert loop.cancel("a")
    outcomes = Outcomes()
    outcomes.take(loop.turn())
    assert outcomes["a"].done.stop is Stop.CANCELLED
    chunks, decodes = runner.steps[-1]
    assert ([chunk.slot for chunk in chunks], decodes) == ([0], [])
    assert not loop.cancel("a") and not loop.cancel("nobody")
    assert run(loop, outcomes)["b"].done.frames > 0


def test_a_request_that_waits_can_be_cancelled() -> None:
    loop = Loop(FakeRunner(slots=1), clock=Clock())
    for name in "ab":
        loop.submit(request(name))
    loop.turn()
    assert loop.cancel("b")
    assert run(loop)["b"].done.timings.admitted is None


def test_a_parked_stream_makes_nothing_until_it_goes_on() -> None:
    runner = FakeRunner(end_every=0)
    loop = Loop(runner, FakeCodec(), clock=Clock())
    wanted = request("a")
    loop.submit(wanted)
    outcomes = Outcomes()
    for _ in range(7):
        outcomes.take(loop.turn())
    assert loop.park("a", True) and not loop.busy
    steps = len(runner.steps)
    assert loop.turn() == [] and len(runner.steps) == steps
    loop.park("a", False)
    run(loop, outcomes)
    np.testing.assert_array_equal(
        outcomes["a"].all_codes, alone(wanted, runner=FakeRunner(end_every=0)).all_codes
    )
    assert not loop.park("a", True)


def test_one_codec_call_serves_all_streams() -> None:
    codec = FakeCodec()
    loop = Loop(FakeRunner(end_every=0, illegal_every=0), codec, LoopConfig(first_frames=2), clock=Clock())
    for name in "abc":
        loop.submit(request(name, params=SamplingParams(max_frames=2)))
    run(loop)
    assert codec.calls == [[2, 2, 2]]


def test_the_codec_never_holds_the_model_up_for_more_than_its_frames_of_a_turn() -> None:
    codec = FakeCodec()
    config = LoopConfig(first_frames=4, most_frames=4, codec_frames=8)
    loop = Loop(FakeRunner(end_every=0, illegal_every=0), codec, config, clock=Clock())
    for name in "abcd":
        loop.submit(request(name, params=SamplingParams(max_frames=12)))
    outcomes = run(loop)
    assert max(map(sum, codec.calls)) == 8
    assert [outcomes[name].done.frames for name in "abcd"] == [12] * 4


def test_a_slot_is_free_while_its_last_frames_wait_for_the_codec() -> None:
    config = LoopConfig(first_frames=4, most_frames=4, codec_frames=4)
    loop = Loop(FakeRunner(2, end_every=0, illegal_every=0), FakeCodec(), config, clock=Clock())
    for name in "ab":
        loop.submit(request(name, params=SamplingParams(max_frames=4)))
    outcomes = Outcomes()
    for _ in range(4):
        outcomes.take(loop.turn())
    assert (loop.stats().running, loop.stats().voicing, loop.busy) == (0, 1, True)
    run(loop, outcomes)
    assert [outcomes[name].done.frames for name in "ab"] == [4, 4]


def test_the_queue_is_bounded() -> None:
    loop = Loop(FakeRunner(slots=1), config=LoopConfig(max_waiting=1), clock=Clock())
    loop.submit(request("a"))
    loop.submit(request("b"))
    with pytest.raises(Overloaded):
        loop.submit(request("c"))
    run(loop)
    loop.submit(request("c"))


def columns(fill: int, row: int) -> Request:
    made = prompt(10)
    made[row, 3] = fill
    return Request("a", made)


@pytest.mark.parametrize(
    ("bad", "error", "param"),
    [
        (Request("a", prompt(96)), TextTooLong, "columns"),
        (Request("a", prompt(10), prefix=10), InvalidRequest, "prefix"),
        (Request("a", prompt(10), prefix=-1), InvalidRequest, "prefix"),
        (Request("a", prompt(10)[:, :0]), InvalidRequest, "columns"),
        (Request("a", prompt(10)[:2]), InvalidRequest, "columns"),
        (Request("a", prompt(10).astype(np.int64)), InvalidRequest, "columns"),
        (columns(-1, row=0), InvalidRequest, "columns"),
        (columns(8, row=1), InvalidRequest, "columns"),
        (columns(4, row=3), InvalidRequest, "columns"),
        (columns(-1, row=2), InvalidRequest, "columns"),
    ],
)
def test_what_would_harm_the_others_is_refused(bad: Request, error: type[JuneError], param: str) -> None:
    loop = Loop(FakeRunner(), clock=Clock())
    with pytest.raises(error) as refused:
        loop.submit(bad)
    assert refused.value.param == param and not loop.busy


def test_two_requests_cannot_have_one_id() -> None:
    loop = Loop(FakeRunner(), clock=Clock())
    loop.submit(request("a"))
    with pytest.raises(InvalidRequest):
        loop.submit(request("a"))


@pytest.mark.parametrize(
    "bad",
    [{"max_batch": 0}, {"prefill_chunk": 0}, {"max_waiting": -1}, {"first_frames": 9, "most_frames": 8}]
    + [{"codec_frames": 8}, {"prefix_bytes": -1}, {"illegal_guard": -1}],
)
def test_limits_that_cannot_work_are_named(bad: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match=next(iter(bad))):
        LoopConfig(**bad)
