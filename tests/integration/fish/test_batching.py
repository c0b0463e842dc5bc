"""The loop on a real (tiny) model: whoever else is in the batch, a request's codes are those it has alone."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bench.fish_checkpoint import write_checkpoint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from june_tts.fish.build import load_model
from june_tts.fish.events import Done, Failed, Frames, LoopConfig, Request
from june_tts.fish.loop import Loop
from june_tts.fish.offline import special_tokens
from june_tts.fish.prompt import Prompt, Reference, build
from june_tts.fish.runner import TorchRunner
from june_tts.fish.sequence import Codes, SamplingParams
from june_tts.fish.tokenizer import Tokenizer

pytestmark = pytest.mark.integration

SLOTS = 5
VOICES = 3


class Speaking:
    """One model, and what each request said when it was alone on a loop of its own."""

    def __init__(self, folder: Path, *, always_together: bool) -> None:
        self._tokenizer = Tokenizer.read(folder)
        model, tokens = load_model(folder, "float32"), special_tokens(self._tokenizer)
        self.runner = TorchRunner(model, tokens, slots=SLOTS, positions=160, always_together=always_together)
        random = np.random.default_rng(8)
        sizes = np.array([4096] + [1024] * 9)[:, None]
        codes = [random.integers(0, sizes, (10, 9 * n), dtype=np.int32) for n in range(1, VOICES + 1)]
        self._voices = [Reference("Heard before.", found) for found in codes]
        self._alone: dict[int, Codes] = {}

    def request(self, number: int) -> Request:
        """The same number is the same request: text, voice, seed, rules and length all follow from it."""
        prompt = self._prompt(number)
        params = SamplingParams(
            seed=number,
            greedy=number % 5 == 0,
            temperature=0.6 + number % 4 / 5,
            top_k=(number % 3) * 20,
            repetition_rule="intended" if number % 2 else "reference",
            max_frames=3 + number % 22,
        )
        return Request(str(number), prompt.columns, prompt.prefix, params)

    def alone(self, number: int) -> Codes:
        if number not in self._alone:
            loop = self.loop()
            loop.submit(self.request(number))
            self._alone[number] = run(loop)[str(number)]
        return self._alone[number]

    def loop(self, *, prefix_bytes: int = 0, max_batch: int | None = None) -> Loop:
        config = LoopConfig(prefix_bytes=prefix_bytes, prefill_chunk=16, max_batch=max_batch)
        return Loop(self.runner, None, config)

    def _prompt(self, number: int) -> Prompt:
        voice = self._voices[number % (VOICES + 1) - 1 :][:1] if number % (VOICES + 1) else []
        return build(self._tokenizer, "A sentence of its own. " * (1 + number % 3) + str(number), voice)


def run(
    loop: Loop, joining: Iterator[Request] | None = None, cancelled: set[str] | None = None
) -> dict[str, Codes]:
    """Codes by request; another joins every second turn, and those to be cancelled are so after a few."""
    made: dict[str, list[Codes]] = {}
    done: dict[str, Codes] = {}
    turns = 0
    while loop.busy or joining is not None:
        turns += 1
        if joining is not None and turns % 2:
            request = next(joining, None)
            if request is None:
                joining = None
            else:
                loop.submit(request)
        if cancelled and turns == 7:
            for name in cancelled:
                loop.cancel(name)
        for event in loop.turn():
            match event:
                case Frames(id=name, codes=codes):
                    made.setdefault(name, []).append(codes)
                case Done(id=name):
                    done[name] = np.concatenate(made.get(name, [np.empty((10, 0), np.int32)]), axis=1)
                case Failed(message=message):
                    raise AssertionError(message)
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("tiny"), n_layer=2, seed=4)


@pytest.fixture(scope="module", params=[False, True], ids=["one by one", "together"])
def speaking(folder: Path, request: pytest.FixtureRequest) -> Speaking:
    """Together is a GPU's way, as a CUDA graph there; the arithmetic is the same here."""
    return Speaking(folder, always_together=request.param)


def test_always_together_make_the_same_codes(folder: Path) -> None:
    one, other = Speaking(folder, always_together=False), Speaking(folder, always_together=True)
    for number in (0, 1, 7, 10, 20):
        np.testing.assert_array_equal(one.alone(number), other.alone(number))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    numbers=st.lists(st.integers(0, 30), min_size=2, max_size=9, unique=True),
    stopped=st.sets(st.integers(0, 30), max_size=3),
    kept=st.sampled_from([0, 200_000, 1 << 30]),
    together=st.sampled_from([None, 2]),
)
def test_codes_do_not_depend_on_company_order_or_kept_prefixes(
    speaking: Speaking, numbers: list[int], stopped: set[int], kept: int, together: int | None
) -> None:
    loop = speaking.loop(prefix_bytes=kept, max_batch=together)
    cancelled = {str(number) for number in stopped}
    made = run(loop, map(speaking.request, numbers), cancelled)
    assert set(made) == {str(number) for number in numbers}
    for number in numbers:
        expected, found = speaking.alone(number), made[str(number)]
        if str(number) in cancelled:
            expected = expected[:, : found.shape[1]]  # what was sent before it was cancelled
        np.testing.assert_array_equal(found, expected)
    stats = loop.stats()
    assert (stats.running, stats.waiting, stats.voicing) == (0, 0, 0)
