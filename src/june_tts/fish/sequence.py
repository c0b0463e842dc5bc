"""Plain values of the engine, and what its scheduler asks of the model and of the codec. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from june_tts.errors import InvalidRequest
from june_tts.types import Samples

Codes = NDArray[np.int32]
"""Shape (codebooks, frames)."""
Columns = NDArray[np.int32]
"""Shape (codebooks + 1, positions): row 0 vocabulary ids, the others codes, zero where there is only text."""


class Stop(StrEnum):
    """Why a sequence has ended."""

    END = "end"
    """The model said `<|im_end|>`."""
    LIMIT = "limit"
    """`max_frames` are made."""
    CONTEXT = "context"
    """No position is left in its slot."""
    REPEAT = "repeat"
    """The same frames came again and again: `repeat_guard`."""
    ILLEGAL = "illegal"
    """So many frames in a row were no audio that it does not speak any more: `LoopConfig.illegal_guard`."""
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How frames are drawn. The defaults are those of fish-speech 0.1.0."""

    temperature: float = 0.8
    top_p: float = 0.8
    top_k: int = 0
    """Draw from so many candidates at most; 0 for no such limit, as in the reference."""
    repetition_penalty: float = 1.1
    repetition_rule: Literal["reference", "intended"] = "reference"
    """`reference`: the slow head is penalised for one column of the window, as fish-speech 0.1.0 does by an
    indexing slip; `intended`: for the last 16 slow tokens, as its authors meant."""
    greedy: bool = False
    """Always the likeliest candidate, after the penalty."""
    seed: int = 0
    """0 .. 2**63 - 1. With the same input it gives the same codes, whoever else is in the batch."""
    semantic_only: bool = False
    """Draw slow tokens from the semantic ones and `<|im_end|>` alone."""
    min_frames: int = 0
    """`<|im_end|>` is not drawn before."""
    max_frames: int = 1024
    """Frames at most, 46.4 ms each."""
    repeat_guard: int = 0
    """End with `Stop.REPEAT` once the same slow token came this many times in a row; 0 for never."""

    def __post_init__(self) -> None:
        """Raises: InvalidRequest, naming the field."""
        _within("temperature", self.temperature, 0.0, 2.0, above=True)
        _within("top_p", self.top_p, 0.0, 1.0, above=True)
        _within("repetition_penalty", self.repetition_penalty, 0.0, 2.0, above=True)
        _within("top_k", self.top_k, 0, 1 << 20)
        _within("seed", self.seed, 0, (1 << 63) - 1)
        _within("max_frames", self.max_frames, 1, 1 << 20)
        _within("min_frames", self.min_frames, 0, self.max_frames)
        _within("repeat_guard", self.repeat_guard, 0, 1 << 20)


def _within(name: str, value: float, least: float, most: float, *, above: bool = False) -> None:
    if not (least < value <= most if above else least <= value <= most):
        sign = "above" if above else "at least"
        raise InvalidRequest(f"{name} is {value}, expected {sign} {least} and at most {most}", param=name)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a prompt that one step computes the KV of."""

    slot: int
    columns: Columns
    start: int
    """Position of its first column."""
    last: bool
    """The prompt ends here: the step also makes the sequence's first frame."""


@dataclass(frozen=True, slots=True)
class Column:
    """What a step made for one slot."""

    slot: int
    token: int
    """Vocabulary id of the slow tower."""
    codes: NDArray[np.int32]
    """Shape (codebooks,). Codebook 0 is `token` less the first semantic id, not below 0."""


class PrefixKV(Protocol):
    """The KV of a prompt's beginning, outside any slot."""

    @property
    def positions(self) -> int: ...

    @property
    def bytes(self) -> int: ...


class Runner(Protocol):
    """The model. Every call may raise; the slots it was given are then to be closed by the caller."""

    slots: int
    """KV slots there are."""
    positions: int
    """In each of them."""
    kv_bytes: int
    """Of all slots together."""
    codebooks: int
    codebook_sizes: tuple[int, ...]
    """Legal codes of each codebook: (4096, 1024, …)."""
    semantic_begin: int
    semantic_end: int
    im_end: int

    def open(self, slot: int, params: SamplingParams) -> None:
        """Forget what the slot held and set how its frames are drawn."""
        ...

    def load_prefix(self, slot: int, prefix: PrefixKV) -> None:
        """Copy a kept prefix into positions 0 .. prefix.positions - 1 of a slot."""
        ...

    def save_prefix(self, slot: int, positions: int) -> PrefixKV:
        """A copy of a slot's first positions."""
        ...

    def step(self, chunks: Sequence[Chunk], decodes: Sequence[int]) -> list[Column]:
        """One step: the chunks' KV, and one more frame for each chunk that is its prompt's last and for each
        slot of `decodes`, in that order. A slot occurs once."""
        ...


class CodecStream(Protocol):
    """The state that one stream's decoding carries from chunk to chunk."""


class Codec(Protocol):
    """Codes to samples and back. `decode` over any chunks gives the samples of the whole."""

    sample_rate: int
    samples_per_frame: int
    codebooks: int

    def stream(self) -> CodecStream: ...

    def decode(self, streams: Sequence[CodecStream], codes: Sequence[Codes]) -> list[Samples]:
        """The next frames of several streams at once, any number of frames each, samples_per_frame samples a
        frame."""
        ...

    def encode(self, samples: Samples) -> Codes:
        """Codes of a recording at `sample_rate`."""
        ...
