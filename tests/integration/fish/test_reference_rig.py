"""The rig that the engine is compared with runs the reference itself, and agrees with itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bench.fish_checkpoint import write_checkpoint
from tests.fish_reference import Columns, Reference
from tests.stand_ins import reference_module

pytestmark = pytest.mark.integration

CODES = np.arange(30, dtype=np.int32).reshape(10, 3)
SAID = [("What was said.", CODES)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("fish-int8"), "tiny", seed=7)


@pytest.fixture(scope="module")
def reference(folder: Path) -> Reference:
    return Reference(folder, max_length=128)


@pytest.fixture(scope="module")
def prompt(reference: Reference) -> Columns:
    return reference.prompt("Hello world.", SAID)


def test_greedy_columns_are_the_likeliest_by_its_own_logits(reference: Reference, prompt: Columns) -> None:
    made = reference.greedy(prompt, 6, repetition_penalty=1.0)
    assert made.shape == (11, 6)
    for at in range(6):
        slow, hidden = reference.logits(np.concatenate([prompt, made[:, :at]], axis=1))
        token, *codes = made[:, at]
        fast = reference.fast_logits(hidden, codes[:-1])
        assert slow.argmax() == token
        assert codes[0] == token - reference.tokenizer.semantic_begin_id
        assert fast[1:, :1024].argmax(axis=1).tolist() == codes[1:]


def test_the_prompt_is_the_one_that_generate_long_builds(
    folder: Path, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[torch.Tensor] = []
    inference = reference_module("fish_speech.models.text2semantic.inference")

    def kept(*, prompt: torch.Tensor, **_: Any) -> torch.Tensor:
        built.append(prompt)
        return torch.cat([prompt, prompt[:, :1]], dim=1)

    monkeypatch.setattr(inference, "generate", kept)
    whole = Reference(folder, max_length=4096)  # generate_long keeps 2048 of them free
    said, codes = SAID[0]
    for text, tokens in (([], []), ([said], [torch.from_numpy(codes)])):
        arguments = {"prompt_text": text, "prompt_tokens": tokens, "text": "Hello world.", "device": "cpu"}
        list(inference.generate_long(model=whole._model, decode_one_token=None, **arguments))
    assert built[0].tolist() == reference.prompt("Hello world.").tolist()
    assert built[1].tolist() == reference.prompt("Hello world.", SAID).tolist()


def test_the_end_token_is_the_last_column(tmp_path: Path, reference: Reference, prompt: Columns) -> None:
    endless = reference.greedy(prompt, 12, repetition_penalty=1.0)
    token = endless[0, 5]
    assert token not in endless[0, :5]
    state = torch.load(write_checkpoint(tmp_path, "tiny", seed=7) / "model.pth", weights_only=True)
    state["output.weight"][reference.im_end] = state["output.weight"][token] * 1.1
    torch.save(state, tmp_path / "model.pth")
    ended = Reference(tmp_path, max_length=128).greedy(prompt, 12, repetition_penalty=1.0)
    assert ended[0].tolist() == [*endless[0, :5], reference.im_end]


def test_sampling_depends_on_its_seed_alone(reference: Reference, prompt: Columns) -> None:
    before = torch.get_rng_state()
    first, second, other = (reference.sampled(prompt, 8, seed) for seed in (1, 1, 2))
    assert first.tolist() == second.tolist() != other.tolist()
    assert torch.equal(torch.get_rng_state(), before)


def test_the_penalty_and_the_top_p_reach_the_sampler(reference: Reference, prompt: Columns) -> None:
    greedy = reference.greedy(prompt, 40, repetition_penalty=1.0)
    assert greedy.tolist() != reference.greedy(prompt, 40, repetition_penalty=1.9).tolist()
    narrow = reference.sampled(prompt, 40, seed=1, top_p=1e-6, repetition_penalty=1.0)
    assert narrow.tolist() == greedy.tolist()


def test_one_column_is_the_first_of_many(reference: Reference, prompt: Columns) -> None:
    assert reference.greedy(prompt, 1).tolist() == reference.greedy(prompt, 2)[:, :1].tolist()


def test_more_columns_than_the_cache_holds_are_refused(reference: Reference, prompt: Columns) -> None:
    with pytest.raises(ValueError, match="max_length is 128"):
        reference.greedy(prompt, 128)


def test_a_checkpoint_without_one_of_its_tensors_is_refused(tmp_path: Path) -> None:
    state = torch.load(write_checkpoint(tmp_path, "tiny") / "model.pth", weights_only=True)
    del state["layers.1.attention.q_norm.weight"]
    torch.save(state, tmp_path / "model.pth")
    with pytest.raises(RuntimeError, match=r"layers\.1\.attention\.q_norm\.weight"):
        Reference(tmp_path)
