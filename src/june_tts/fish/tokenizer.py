"""Text to vocabulary ids, by the tables of a checkpoint (OpenAudio S1). No torch, no network, no cache.

The ids are those of fish-speech 0.1.0: byte-level BPE over pre-tokens, then control tokens, then one semantic
token for each code of codebook 0.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from pathlib import Path

from tiktoken import Encoding

from june_tts.errors import ModelUnavailable

MOST_RANKS_BYTES = 32 << 20
"""The published table of 151,643 ranks has 2.6 MB."""
MOST_SPECIAL_BYTES = 4 << 20
"""The published list of 4,111 tokens has 0.1 MB."""
MOST_SPECIAL_TOKENS = 1 << 16
"""They become one regular expression, which has a limit of its own."""
STRETCH = 400_000
"""Characters that are encoded at a time. The cut can fall within a word, where the reference cuts as well."""

IM_END = "<|im_end|>"
INTERLEAVE = "<|interleave|>"
_SEMANTIC = "<|semantic:{}|>"
_ANY_SEMANTIC = re.compile(r"<\|semantic:.*\|>")

PRE_TOKENS = "|".join(
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"\p{P}",  # so a run of punctuation is one token a character, unless a space stands before it
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        # meant as the lookahead (?!\S) and published as a literal "?!": two spaces before a word stay
        # together. The model was trained with it, so it stays.
        r"\s+(\?!\S)",
        r"\s+",
    )
)
"""What BPE never merges across, the first alternative that matches."""


class Tokenizer:
    """Safe to use from several threads."""

    def __init__(self, ranks: Mapping[bytes, int], special: Mapping[str, int]) -> None:
        """Both as `read` checks them; raises ValueError where tiktoken refuses them."""
        self._encoding = Encoding(
            "fish", pat_str=PRE_TOKENS, mergeable_ranks=dict(ranks), special_tokens=dict(special)
        )
        self._special = frozenset(special)
        self.im_end = special[IM_END]
        self.interleave = special[INTERLEAVE]
        """Opens every prompt."""
        self.semantic_begin = special[_SEMANTIC.format(0)]
        self.semantic_end = self.semantic_begin + _semantic_tokens(special) - 1
        """The last semantic id, itself included."""
        self.size = len(ranks) + len(special)
        """Every id is below it."""

    @classmethod
    def read(cls, folder: Path) -> "Tokenizer":
        """tokenizer.tiktoken and special_tokens.json of a checkpoint.

        Raises:
            ModelUnavailable: a file is missing, too large or damaged; named, with what was expected.
        """
        ranks = _ranks(folder / "tokenizer.tiktoken")
        path = folder / "special_tokens.json"
        special = _special(path, len(ranks))
        try:
            return cls(ranks, special)
        except ValueError as refused:
            raise ModelUnavailable(f"{path}: its tokens cannot be used: {refused}") from refused

    def encode(self, text: str, parse_special: bool = False) -> list[int]:
        """Ids of a text; unpaired surrogates count as U+FFFD.

        `parse_special` reads `<|im_end|>` and the like in the text as the tokens they name. The reference
        always does. Whoever may write the text can then end the speech or put codes into it, so not by
        default.
        """
        allowed = self._special if parse_special else frozenset[str]()
        ids: list[int] = []
        for start in range(0, len(text), STRETCH):
            stretch = text[start : start + STRETCH]
            ids += self._encoding.encode(stretch, allowed_special=allowed, disallowed_special=())
        return ids


def _ranks(path: Path) -> dict[bytes, int]:
    """Lines "base64 rank"."""
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(_content(path, MOST_RANKS_BYTES).splitlines(), 1):
        # "=" is how the reference's own writer spells an empty token, and its reader skips it
        if line.strip() and line.split()[0] != b"=":
            token, rank = _rank(line, number, path)
            if token in ranks:
                raise ModelUnavailable(f"{path}, line {number}: this token had rank {ranks[token]} before")
            ranks[token] = rank
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise ModelUnavailable(f"{path}: its {len(ranks)} ranks are not 0 .. {len(ranks) - 1}, each once")
    for byte in range(256):
        if bytes([byte]) not in ranks:
            # tiktoken panics, past any `except Exception`, when it first meets the byte
            raise ModelUnavailable(f"{path}: byte {byte:#04x} has no rank, expected all 256")
    return ranks


def _rank(line: bytes, number: int, path: Path) -> tuple[bytes, int]:
    try:
        encoded, rank = line.split()
        token = base64.b64decode(encoded, validate=True)
        # int() alone would also take "1_0" and "+1"
        if token and rank.isdigit():
            return token, int(rank)
    except (ValueError, binascii.Error):
        pass
    raise ModelUnavailable(f"{path}, line {number}: expected a token in base64, a blank and its rank")


def _special(path: Path, first: int) -> dict[str, int]:
    """Token -> id, checked. The reference counts on from the last rank and ignores the ids of the file; where
    these differ, one of the two is damaged."""
    try:
        special = json.loads(_content(path, MOST_SPECIAL_BYTES))
    except (ValueError, RecursionError) as bad:
        raise ModelUnavailable(f"{path} cannot be read: {bad}") from bad
    if not isinstance(special, dict) or len(special) > MOST_SPECIAL_TOKENS:
        raise ModelUnavailable(
            f"{path}: expected an object of at most {MOST_SPECIAL_TOKENS} tokens and their ids"
        )
    for expected, (token, found) in enumerate(special.items(), first):
        if type(found) is not int or found != expected or not token:
            raise ModelUnavailable(f"{path}: token {token!r} has the id {found!r}, expected {expected}")
    _check_names(special, path)
    return special


def _check_names(special: Mapping[str, int], path: Path) -> None:
    for needed in (INTERLEAVE, IM_END, _SEMANTIC.format(0)):
        if needed not in special:
            raise ModelUnavailable(f"{path}: the token {needed} is missing")
    begin = special[_SEMANTIC.format(0)]
    for code in range(_semantic_tokens(special)):
        found = special.get(_SEMANTIC.format(code))
        if found != begin + code:
            raise ModelUnavailable(
                f"{path}: {_SEMANTIC.format(code)} has the id {found}, expected {begin + code}: "
                "the ids of the semantic tokens follow each other"
            )


def _semantic_tokens(special: Mapping[str, int]) -> int:
    return sum(1 for token in special if _ANY_SEMANTIC.fullmatch(token))


def _content(path: Path, most: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > most:
            raise ModelUnavailable(f"{path} has {size} bytes, expected at most {most}")
        return path.read_bytes()
    except OSError as failed:
        raise ModelUnavailable(f"{path} cannot be read: {failed.strerror or failed}") from failed
