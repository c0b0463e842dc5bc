"""Runs the language model of the published reference, fish-speech 0.1.0, on a checkpoint folder.

What it computes is its own code alone: its tokenizer, its prompt, its `generate`. Arrays go in and come out.
"""

import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tests.stand_ins import reference_module

Codes = NDArray[np.int32]
Columns = NDArray[np.int32]
Logits = NDArray[np.float32]

_TEXT_TO_SEMANTIC = "fish_speech.models.text2semantic"
LIKELIEST_ALONE = 1e-6
"""A top_p below any likeliest candidate's probability."""


class Reference:
    """A checkpoint in the reference's hands, on the CPU. `max_length` replaces the 8192 positions of the
    configuration: the reference attends to all of them at every step, full or not."""

    def __init__(self, folder: Path, dtype: torch.dtype = torch.float32, max_length: int = 512) -> None:
        if max_length % 8:
            raise ValueError(
                f"max_length is {max_length}, expected a multiple of 8, as the reference's cache is"
            )
        self._inference = reference_module(f"{_TEXT_TO_SEMANTIC}.inference")
        self._inference.tqdm = _without_progress
        self._model = _load(folder, max_length).to(dtype).eval()
        self._model.setup_caches(max_batch_size=1, max_seq_len=max_length, dtype=dtype)
        self.tokenizer: Any = self._model.tokenizer
        self.im_end: int = self.tokenizer.get_token_id("<|im_end|>")

    def prompt(self, text: str, references: Iterable[tuple[str, Codes]] = ()) -> Columns:
        """Shape (codebooks + 1, positions), put together as its `generate_long` does."""
        parts = reference_module("fish_speech.content_sequence")
        sequence = parts.ContentSequence(modality="interleave")
        for said, codes in references:
            spoken = [parts.TextPart(text=said), parts.VQPart(codes=torch.from_numpy(codes))]
            sequence.append(spoken, add_end=True, speaker=0)
        sequence.append([parts.TextPart(text=text)], add_end=False, speaker=0)
        columns, _, _ = sequence.encode_for_inference(self.tokenizer, self._model.config.num_codebooks)
        return _ints(columns)

    def greedy(self, prompt: Columns, frames: int, repetition_penalty: float = 1.1) -> Columns:
        """The likeliest columns after `prompt`, shape (codebooks + 1, at most `frames`); `<|im_end|>`, which
        the reference looks for from the second on, is the last."""
        return self._generate(prompt, frames, 1.0, LIKELIEST_ALONE, repetition_penalty)

    def sampled(
        self,
        prompt: Columns,
        frames: int,
        seed: int,
        temperature: float = 0.8,
        top_p: float = 0.8,
        repetition_penalty: float = 1.1,
    ) -> Columns:
        """As `greedy`, but drawn, with torch's generator set to `seed` and left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self._generate(prompt, frames, temperature, top_p, repetition_penalty)

    def logits(self, columns: Columns) -> tuple[Logits, Logits]:
        """After all `columns`, computed at once: the slow logits (vocabulary,) of the last, and the hidden
        state (fast dim,) that its fast tower begins with."""
        x = torch.from_numpy(columns)[None]
        with torch.inference_mode():
            made = self._model.forward_generate(x, torch.arange(x.shape[2]))
        return _floats(made.logits[0, -1]), _floats(made.hidden_states[0, -1])

    def fast_logits(self, hidden: Logits, codes: Sequence[int]) -> Logits:
        """Of the fast positions 0 .. len(codes), shape (len(codes) + 1, codebook_size): position 0 sees
        `hidden`, position k + 1 codes[k]. Position k proposes codebook k; the reference uses none of them for
        codebook 0, and the first 1024 entries for the others."""
        model = self._model
        with torch.inference_mode():
            rows = [torch.from_numpy(hidden).to(next(model.parameters()).dtype)[None, None]]
            rows += [model.fast_embeddings(torch.tensor([[code]])) for code in codes]
            made = [model.forward_generate_fast(row, torch.tensor([at])) for at, row in enumerate(rows)]
        return _floats(torch.cat(made)[:, 0])

    def _generate(
        self, prompt: Columns, frames: int, temperature: float, top_p: float, repetition_penalty: float
    ) -> Columns:
        positions = prompt.shape[1] + frames
        if positions > self._model.config.max_seq_len:
            raise ValueError(f"{positions} positions, and max_length is {self._model.config.max_seq_len}")
        # asked for one column alone, the reference stumbles over its own loop variable
        columns = self._inference.generate(
            model=self._model,
            prompt=torch.from_numpy(prompt),
            max_new_tokens=max(frames, 2),
            audio_masks=None,
            audio_parts=None,
            temperature=temperature,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
        )
        return _ints(columns[:, prompt.shape[1] :][:, :frames])


def _load(folder: Path, max_length: int) -> Any:
    model_class = reference_module(f"{_TEXT_TO_SEMANTIC}.llama").DualARTransformer
    with _whole_weights(model_class), _plain_name(folder) as path, warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves the tokenizer's file open
        return model_class.from_pretrained(path, load_weights=True, max_length=max_length)


@contextmanager
def _whole_weights(model_class: Any) -> Iterator[None]:
    """The reference logs that the file lacks a tensor and leaves it random: nothing could be compared."""

    def load(self: torch.nn.Module, state: dict[str, torch.Tensor], strict: bool, assign: bool) -> Any:
        return torch.nn.Module.load_state_dict(self, state, strict=True, assign=assign)

    model_class.load_state_dict = load
    try:
        yield
    finally:
        del model_class.load_state_dict


@contextmanager
def _plain_name(folder: Path) -> Iterator[str]:
    """The reference looks for `int8` and `int4` anywhere in the path, and tests name their folders."""
    with tempfile.TemporaryDirectory() as plain:
        (Path(plain) / "checkpoint").symlink_to(folder.resolve(), target_is_directory=True)
        yield f"{plain}/checkpoint"


def _without_progress(steps: Iterable[int]) -> Iterable[int]:
    return steps


def _ints(tensor: torch.Tensor) -> NDArray[np.int32]:
    return np.asarray(tensor.cpu().numpy(), dtype=np.int32)


def _floats(tensor: torch.Tensor) -> Logits:
    return np.asarray(tensor.float().cpu().numpy(), dtype=np.float32)
