"""What the model is given: the voices, then the text (prompt format of fish-speech 0.1.0, S1). No torch.

    <|interleave|> { <|speaker:0|> transcript codes <|im_end|> } … <|speaker:0|> text

Each part is tokenised by itself, so that BPE never merges across a border. `<|speaker:0|>` is no token of its
own but seven ordinary ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from june_tts.errors import InvalidRequest
from june_tts.fish.sequence import Codes, Columns
from june_tts.fish.tokenizer import Tokenizer

SPEAKER = "<|speaker:0|>"
RESIDUAL_CODES = 1024
"""Of codebooks 1 and on. Codebook 0 has as many codes as there are semantic tokens: 4096."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A stretch of speech and what is said in it."""

    text: str
    codes: Codes
    """Shape (codebooks, frames), 46.4 ms a frame."""

    def __post_init__(self) -> None:
        """Raises: InvalidRequest, unless the codes are whole numbers of shape (codebooks, frames)."""
        codes = self.codes
        if codes.ndim != 2 or not codes.size or not np.issubdtype(codes.dtype, np.integer):
            raise _bad(
                f"an array of {codes.dtype} with shape {codes.shape}",
                "whole numbers of shape (codebooks, frames)",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    columns: Columns
    prefix: int
    """So many leading columns are the same for every text with this voice; 0 without a voice."""


def build(
    tokenizer: Tokenizer,
    text: str,
    references: Sequence[Reference] = (),
    codebooks: int = 10,
    *,
    shared: int | None = None,
    parse_special: bool = False,
) -> Prompt:
    """The prompt that makes the model say `text`.

    `shared`: so many leading references are the voice; those that follow are this request's own and are left
    out of the prefix. None for all. The `<|speaker:0|>` after the voice belongs to the prefix: a reference
    begins with it as well as the text, so the prefix is the same with and without further references.

    `parse_special`: see `Tokenizer.encode`; for transcripts too.

    Raises:
        InvalidRequest: codes of another shape, or beyond their codebook.
    """
    speaker = tokenizer.encode(SPEAKER)
    parts = [_text([tokenizer.interleave, *speaker], codebooks)]
    voice = len(references) if shared is None else min(shared, len(references))
    prefix = 0
    for number, reference in enumerate(references, 1):
        parts.append(_text(tokenizer.encode(reference.text, parse_special), codebooks))
        parts.append(_speech(reference.codes, tokenizer, codebooks))
        parts.append(_text([tokenizer.im_end, *speaker], codebooks))
        if number == voice:
            prefix = sum(part.shape[1] for part in parts)
    parts.append(_text(tokenizer.encode(text, parse_special), codebooks))
    return Prompt(np.concatenate(parts, axis=1), prefix)


def _text(ids: Sequence[int], codebooks: int) -> Columns:
    columns = np.zeros((codebooks + 1, len(ids)), np.int32)
    columns[0] = ids
    return columns


def _speech(codes: Codes, tokenizer: Tokenizer, codebooks: int) -> Columns:
    """Row 0 holds codebook 0 as semantic tokens; the codes follow, codebook 0 once more among them."""
    if codes.shape[0] != codebooks:
        raise _bad(f"shape {codes.shape}", f"({codebooks}, frames)")
    for book, row in enumerate(codes):
        most = tokenizer.semantic_end - tokenizer.semantic_begin if book == 0 else RESIDUAL_CODES - 1
        wrong = row[(row < 0) | (row > most)]
        if wrong.size:
            raise _bad(f"{wrong[0]} in codebook {book}", f"0 .. {most}")
    columns = np.concatenate([codes[:1], codes]).astype(np.int32)
    columns[0] += tokenizer.semantic_begin
    return columns


def _bad(found: str, expected: str) -> InvalidRequest:
    return InvalidRequest(f"the reference's codes have {found}, expected {expected}", param="references")
