"""Greedy float32 codes are those of fish-speech 0.1.0, frame by frame, whatever shape the model has."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bench.fish_checkpoint import write_checkpoint
from tests.fish_reference import Reference

from june_tts.fish.build import load_model
from june_tts.fish.frame import SpecialTokens
from june_tts.fish.prompt import Reference as Spoken
from june_tts.fish.prompt import build
from june_tts.fish.runner import TorchRunner
from june_tts.fish.sequence import Chunk, Columns, SamplingParams
from june_tts.fish.tokenizer import Tokenizer

pytestmark = pytest.mark.integration

FRAMES = 200
POSITIONS = 512
TEXT = "Each frame of a voice is drawn from what was said before it."


@dataclass(frozen=True)
class Shape:
    """A checkpoint and how it is asked to speak."""

    name: str
    changes: dict[str, Any] = field(default_factory=dict)
    reference_frames: int = 0
    penalty: float = 1.1


NO_FAST_TOWER_OF_ITS_OWN = {
    key: None
    for key in ("fast_dim", "fast_n_head", "fast_n_local_heads", "fast_head_dim", "fast_intermediate_size")
}
SHAPES = [
    Shape("as the tiny one"),
    Shape("with a reference", reference_frames=40),
    Shape("one slow layer", {"n_layer": 1}),
    Shape("deep", {"n_layer": 9, "n_fast_layer": 5}, reference_frames=3),
    Shape("wide", {"dim": 256, "intermediate_size": 640, "head_dim": 64}),
    Shape("every head its own key", {"n_local_heads": 4, "fast_n_local_heads": 4}),
    Shape("one key for all heads", {"n_local_heads": 1, "fast_n_local_heads": 1}, reference_frames=70),
    Shape("fast as wide as slow", {"fast_dim": 128, "fast_head_dim": 32}),
    Shape("tied head", {"tie_word_embeddings": True}),
    Shape("no qk-norm", {"attention_qk_norm": False}),
    Shape("qk-norm in both", {"fast_attention_qk_norm": True}, reference_frames=17),
    Shape("biases", {f"{k}attention_{b}_bias": True for k in ("", "fast_") for b in ("qkv", "o")}),
    Shape("unscaled codes", {"scale_codebook_embeddings": False}, reference_frames=25),
    Shape("no penalty", penalty=1.0, reference_frames=5),
    Shape("strong penalty", penalty=1.7),
]


@pytest.fixture(params=SHAPES, ids=lambda shape: shape.name)
def shape(request: pytest.FixtureRequest) -> Shape:
    chosen: Shape = request.param
    return chosen


@pytest.fixture
def folder(shape: Shape, tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path, seed=SHAPES.index(shape) + 1, **shape.changes)


def runner_of(folder: Path, **options: Any) -> TorchRunner:
    tokens = Tokenizer.read(folder)
    special = SpecialTokens(tokens.semantic_begin, tokens.semantic_end, tokens.im_end)
    return TorchRunner(load_model(folder, "float32", **options), special, slots=2, positions=POSITIONS)


def prompt_of(folder: Path, shape: Shape) -> Columns:
    random = np.random.default_rng(5)
    sizes = np.array([4096] + [1024] * 9)
    codes = random.integers(0, sizes[:, None], (10, shape.reference_frames), dtype=np.int32)
    spoken = [Spoken("What was said there.", codes)] if shape.reference_frames else []
    return build(Tokenizer.read(folder), TEXT, spoken).columns


def speak(runner: TorchRunner, prompt: Columns, frames: int, penalty: float, *, chunk: int = 64) -> Columns:
    """Columns made after the prompt, which is computed in chunks; `<|im_end|>` is the last."""
    runner.open(0, SamplingParams(greedy=True, repetition_penalty=penalty))
    made = []
    starts = range(0, prompt.shape[1], chunk)
    for start in starts:
        last = start == starts[-1]
        made += runner.step([Chunk(0, prompt[:, start : start + chunk], start, last)], [])
    while len(made) < frames and (len(made) == 1 or made[-1].token != runner.im_end):
        made += runner.step([], [0])
    return np.stack([np.concatenate([[column.token], column.codes]) for column in made], axis=1)


def test_greedy_columns_are_those_of_the_reference(shape: Shape, folder: Path) -> None:
    prompt = prompt_of(folder, shape)
    expected = Reference(folder, max_length=POSITIONS).greedy(prompt, FRAMES, shape.penalty)
    made = speak(runner_of(folder), prompt, FRAMES, shape.penalty)
    np.testing.assert_array_equal(made, expected)
    assert len(np.unique(made[1:], axis=1).T) > 20  # they are no one frame again and again


def test_logits_are_those_of_the_reference(shape: Shape, folder: Path) -> None:
    prompt, reference = prompt_of(folder, shape), Reference(folder, max_length=POSITIONS)
    model = load_model(folder, "float32")
    runner = runner_of(folder)
    runner.open(0, SamplingParams())
    hidden = runner.slow_hidden([Chunk(0, prompt, 0, True)], [])
    with torch.inference_mode():
        logits = model.head(model.slow.final(hidden))[0].numpy()
        projected = model.project_in(hidden)[0].numpy()
    expected, expected_hidden = reference.logits(prompt)
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    np.testing.assert_allclose(projected, expected_hidden, atol=1e-5 * np.abs(expected_hidden).max())
