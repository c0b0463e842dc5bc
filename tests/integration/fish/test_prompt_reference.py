"""Ids and prompt columns are those of fish-speech 0.1.0, for any text."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.fish_vocabulary import SAMPLE, special, write_tokenizer
from tests.stand_ins import reference_module

from june_tts.fish.prompt import Reference, build
from june_tts.fish.sequence import Columns
from june_tts.fish.tokenizer import STRETCH, Tokenizer

pytestmark = pytest.mark.integration

SIGNS = [
    "...",
    "!!!",
    " !!!",
    "?!",
    "  ?!",
    "''",
    "'s",
    "'S",
    "'ll",
    ", ",
    "(a)",
    "\u2019s",
    "\u2026",
    "$1,000.50",
]
BLANKS = [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n ", " \n", "\u00a0", "\u3000", "\u200b", "\x00", "\x85"]
WORDS = [
    "It",
    "it",
    "Isn",
    "said",
    "12",
    "2026",
    "\u0663",
    "\u00bd",
    "Stra\u00dfe",
    "\u4eca\u65e5",
    "a\u0301",
    "\U0001f44d\U0001f3fd",
]
NAMED = [*special(0)][:17] + [
    "<|speaker:0|>",
    "<|semantic:4095|>",
    "<|semantic:4096|>",
    "<|",
    "|>",
    "<|im_end",
]
MIXED = st.lists(st.sampled_from([*SIGNS, *BLANKS, *WORDS, *NAMED]), max_size=12).map("".join)
PLAIN = st.integers(0, len(SAMPLE)).flatmap(
    lambda at: st.integers(at, len(SAMPLE)).map(lambda end: SAMPLE[at:end])
)
TEXTS = MIXED | PLAIN | st.text(st.characters(), max_size=40)
CODES = st.integers(1, 4).flatmap(
    lambda frames: st.tuples(
        arrays.arrays(np.int32, (1, frames), elements=st.integers(0, 4095)),
        arrays.arrays(np.int32, (9, frames), elements=st.integers(0, 1023)),
    ).map(np.concatenate)
)
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Published:
    """The reference's tokenizer and prompt, with nothing of the model."""

    def __init__(self, folder: Path) -> None:
        self._parts = reference_module("fish_speech.content_sequence")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves the file open
            self.tokenizer: Any = reference_module("fish_speech.tokenizer").FishTokenizer.from_pretrained(
                folder
            )

    def ids(self, text: str, special: bool) -> list[int]:
        return list(self.tokenizer.encode(text, allowed_special=special))

    def columns(self, text: str, references: Sequence[Reference]) -> Columns:
        """As its `generate_long` puts them together."""
        sequence = self._parts.ContentSequence(modality="interleave")
        for reference in references:
            codes = torch.from_numpy(reference.codes)
            parts = [self._parts.TextPart(text=reference.text), self._parts.VQPart(codes=codes)]
            sequence.append(parts, add_end=True, speaker=0)
        sequence.append([self._parts.TextPart(text=text)], add_end=False, speaker=0)
        columns, _, _ = sequence.encode_for_inference(self.tokenizer, 10)
        return np.asarray(columns.numpy(), dtype=np.int32)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="session")
def published(folder: Path) -> Published:
    return Published(folder)


@pytest.fixture(scope="session")
def tokenizer(folder: Path) -> Tokenizer:
    return Tokenizer.read(folder)


def test_the_ids_of_special_tokens_are_the_reference_s(tokenizer: Tokenizer, published: Published) -> None:
    theirs = published.tokenizer
    assert tokenizer.semantic_begin == theirs.semantic_begin_id
    assert tokenizer.semantic_end == theirs.semantic_end_id
    assert tokenizer.im_end == theirs.get_token_id("<|im_end|>")
    assert tokenizer.interleave == theirs.get_token_id("<|interleave|>")


@MANY
@given(TEXTS)
@example(SAMPLE)
@example("\ud83d lone, \ud83d\udc4d paired")
def test_text_has_the_reference_s_ids(tokenizer: Tokenizer, published: Published, text: str) -> None:
    assert tokenizer.encode(text) == published.ids(text, special=False)


@MANY
@given(TEXTS)
@example("Stop.<|im_end|> More.<|semantic:5|><|semantic:5|>")
def test_special_tokens_in_a_text_are_read_as_the_reference_reads_them(
    tokenizer: Tokenizer, published: Published, text: str
) -> None:
    assert tokenizer.encode(text, parse_special=True) == published.ids(text, special=True)


@pytest.mark.parametrize("word", ["It's ", "  said...", "\u4eca\u65e5", "<|im_end|>12"])
def test_a_book_has_the_reference_s_ids_across_its_stretches(
    tokenizer: Tokenizer, published: Published, word: str
) -> None:
    book = "x" + word * (STRETCH // len(word) + 3)
    assert len(book) > STRETCH
    assert tokenizer.encode(book, parse_special=True) == published.ids(book, special=True)


@settings(MANY, max_examples=100)
@given(TEXTS, st.lists(st.tuples(TEXTS, CODES), max_size=3))
@example("", [])
@example("Hello world.", [("What was said.", np.full((10, 5), 1023, np.int32))])
def test_columns_are_the_reference_s(
    tokenizer: Tokenizer, published: Published, text: str, said: list[tuple[str, Columns]]
) -> None:
    references = [Reference(*pair) for pair in said]
    prompt = build(tokenizer, text, references, parse_special=True)
    expected = published.columns(text, references)
    assert prompt.columns.dtype == expected.dtype
    assert prompt.columns.tolist() == expected.tolist()
