"""Compiled pieces, warm starts and batch-invariant products: the same codes, in another way."""

from pathlib import Path

import numpy as np
import pytest
import torch
from bench.fish_checkpoint import write_checkpoint

from june_tts.fish.build import Precision, load_model
from june_tts.fish.compiled import compiled
from june_tts.fish.offline import Offline, special_tokens
from june_tts.fish.prompt import build
from june_tts.fish.runner import TorchRunner
from june_tts.fish.sequence import Chunk, SamplingParams
from june_tts.fish.tokenizer import Tokenizer
from june_tts.fish.transformer import EAGER

pytestmark = pytest.mark.integration

TEXTS = ["The first of them.", "A second, which is somewhat longer than the first.", "And a third."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("tiny"), n_layer=2, n_fast_layer=1, seed=6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_compiled_pieces_compute_what_torch_does(dtype: torch.dtype) -> None:
    made, random = compiled(), torch.Generator().manual_seed(2)
    close = 1e-6 if dtype == torch.float32 else 2e-2
    for rows in (1, 2, 5):
        x, weight = torch.randn(rows, 6, 32, generator=random).to(dtype), torch.rand(32).to(dtype)
        angles = torch.polar(torch.ones(rows, 1, 16), torch.randn(rows, 1, 16, generator=random))
        for ours, theirs in (
            (made.norm(x, weight, 1e-6), EAGER.norm(x, weight, 1e-6)),
            (made.turn(x, angles), EAGER.turn(x, angles)),
            (made.gate(x[:, 0]), EAGER.gate(x[:, 0])),
        ):
            assert ours.dtype == theirs.dtype
            torch.testing.assert_close(ours, theirs, rtol=close, atol=close)


def test_a_compiled_model_says_what_the_eager_one_does(folder: Path) -> None:
    params = SamplingParams(seed=3, max_frames=30)
    expected = Offline(folder, "float32").codes(TEXTS, params)
    found = Offline(folder, "float32", compile=True).codes(TEXTS, params)
    for (codes, _), (wanted, _) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(codes, wanted)


@pytest.mark.parametrize("precision", ["bfloat16", "int8", "int4"])
def test_batch_invariant_codes_are_those_of_the_text_alone(folder: Path, precision: Precision) -> None:
    engine = Offline(folder, precision, batch_invariant=True)
    params = SamplingParams(seed=3, max_frames=25)
    for text, (codes, _) in zip(TEXTS, engine.codes(TEXTS, params), strict=True):
        np.testing.assert_array_equal(engine.codes([text], params)[0][0], codes)


@pytest.mark.parametrize("together", [None, True], ids=["as on a CPU", "as on a GPU"])
def test_a_warm_runner_says_what_a_cold_one_does(folder: Path, together: bool | None) -> None:
    model, tokenizer = load_model(folder, "float32"), Tokenizer.read(folder)
    prompt = build(tokenizer, TEXTS[1]).columns

    def spoken(warm: bool) -> list[list[int]]:
        runner = TorchRunner(
            model, special_tokens(tokenizer), slots=3, positions=100, always_together=together
        )
        if warm:
            runner.warm()
        runner.open(0, SamplingParams(seed=5))
        columns = runner.step([Chunk(0, prompt, 0, last=True)], [])
        for _ in range(10):
            columns += runner.step([], [0])
        return [[column.token, *column.codes.tolist()] for column in columns]

    assert spoken(True) == spoken(False)
