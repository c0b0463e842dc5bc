"""Text to ids, what a text may not do, and tables that are damaged."""

import base64
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fish_vocabulary import MERGES, ranks, special, write_tokenizer

from june_tts.errors import ModelUnavailable
from june_tts.fish.tokenizer import MOST_RANKS_BYTES, MOST_SPECIAL_TOKENS, STRETCH, Tokenizer

pytestmark = pytest.mark.unit

FIRST = 256 + MERGES
Change = Callable[[str], str]


def tokens(tokenizer: Tokenizer, text: str) -> list[str]:
    names = {rank: token for token, rank in ranks().items()}
    return [names[i].decode() for i in tokenizer.encode(text)]


def test_ids_are_counted_on_from_the_last_rank(tokenizer: Tokenizer) -> None:
    assert tokenizer.im_end == FIRST + 4
    assert tokenizer.interleave == FIRST + 11
    assert (tokenizer.semantic_begin, tokenizer.semantic_end) == (FIRST + 15, FIRST + 15 + 4095)
    assert tokenizer.size == FIRST + 15 + 4096


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("said...", ["said", ".", ".", "."]),  # b"..." has a rank, punctuation is one character each
        ("12", ["1", "2"]),  # so has b"12", and digits are alone
        ("said!!", ["said", "!", "!"]),
        ("said !!", ["said", " ", "!!"]),  # after a space a run is one pre-token
        ("  It", ["  ", "It"]),  # the broken lookahead: Qwen's would give " ", " It"
        (" It", [" It"]),
        ("It's", ["It", "'s"]),
        ("It'S", ["It", "'S"]),
        ("", []),
    ],
)
def test_merges_stop_at_the_borders_of_the_published_pattern(
    tokenizer: Tokenizer, text: str, made: list[str]
) -> None:
    assert tokens(tokenizer, text) == made


@given(st.text())
def test_ids_spell_the_text(tokenizer: Tokenizer, text: str) -> None:
    names = {rank: token for token, rank in ranks().items()}
    assert b"".join(names[i] for i in tokenizer.encode(text)).decode() == text


@pytest.mark.parametrize("text", ["<|im_end|>", "Stop.<|im_end|>", "<|semantic:5|>", "<|interleave|>a"])
def test_a_text_cannot_name_special_tokens(tokenizer: Tokenizer, text: str) -> None:
    assert max(tokenizer.encode(text)) < FIRST


@given(
    st.lists(st.sampled_from([*special(0), "<|", "|>", "a", " ", "semantic", "<|speaker:0|>"]), max_size=8)
)
def test_no_text_gives_a_special_id_unless_it_is_asked_for(tokenizer: Tokenizer, parts: list[str]) -> None:
    ids = tokenizer.encode("".join(parts))
    assert all(i < FIRST for i in ids)


def test_special_tokens_are_read_where_it_is_asked_for(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("<|im_end|><|semantic:5|>", parse_special=True) == [
        tokenizer.im_end,
        tokenizer.semantic_begin + 5,
    ]


def test_half_a_surrogate_pair_counts_as_the_replacement_character(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("a\ud800b") == tokenizer.encode("a\ufffdb")


def test_a_book_is_encoded_a_stretch_at_a_time(tokenizer: Tokenizer) -> None:
    text = "the " * (STRETCH // 2)
    ids = tokenizer.encode(text)
    assert ids == tokenizer.encode(text[:STRETCH]) + tokenizer.encode(text[STRETCH:])


def changed(folder: Path, name: str, change: Change) -> Path:
    write_tokenizer(folder)
    path = folder / name
    path.write_text(change(path.read_text()))
    return folder


def line(token: bytes, rank: int) -> str:
    return f"{base64.b64encode(token).decode()} {rank}"


DAMAGED_RANKS: list[tuple[Change, str]] = [
    (lambda text: text + "no\n", rf"line {FIRST + 1}: expected a token in base64"),
    (lambda text: text + f"!!!! {FIRST}\n", r"expected a token in base64"),
    (lambda text: text + "YWFhYWFhYWE= -1\n", r"expected a token in base64"),
    (lambda text: text + line(b"e", FIRST) + "\n", r"this token had rank 101 before"),
    (lambda text: text + line(b"quite new", FIRST + 1) + "\n", r"ranks are not 0 \.\. "),
    (lambda text: text + line(b"quite new", 7) + "\n", r"ranks are not 0 \.\. "),
    (lambda text: text.replace(line(b"\xff", 255), line(b"quite new", 255)), r"byte 0xff has no rank"),
    (lambda text: "", r"byte 0x00 has no rank"),
    (lambda text: " " * (MOST_RANKS_BYTES + 1), r"expected at most 33554432"),
]


@pytest.mark.parametrize(("change", "message"), DAMAGED_RANKS)
def test_damaged_ranks_are_refused_by_name(tmp_path: Path, change: Change, message: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"tokenizer\.tiktoken.*" + message):
        Tokenizer.read(changed(tmp_path, "tokenizer.tiktoken", change))


def without(token: str) -> Change:
    def change(text: str) -> str:
        names = [name for name in json.loads(text) if name != token]
        return json.dumps({name: FIRST + at for at, name in enumerate(names)})

    return change


def renamed(token: str, name: str) -> Change:
    return lambda text: text.replace(f'"{token}"', f'"{name}"')


DAMAGED_SPECIAL: list[tuple[Change, str]] = [
    (lambda text: text[:-5], r"cannot be read"),
    (lambda text: "[" * 100_000, r"cannot be read"),
    (lambda text: "[]", r"expected an object"),
    (lambda text: json.dumps({str(i): FIRST + i for i in range(MOST_SPECIAL_TOKENS + 1)}), r"at most 65536"),
    (without("<|im_end|>"), r"<\|im_end\|> is missing"),
    (without("<|interleave|>"), r"<\|interleave\|> is missing"),
    (without("<|semantic:0|>"), r"<\|semantic:0\|> is missing"),
    (without("<|semantic:77|>"), r"<\|semantic:77\|> has the id None, expected"),
    (renamed("<|audio|>", "<|semantic:4096|>"), r"<\|semantic:4096\|> has the id .*, expected"),
    (renamed("<|semantic:9|>", "<|semantic:9a|>"), r"<\|semantic:9\|> has the id None"),
    (renamed("<|audio|>", ""), r"token '' has the id"),
    (lambda text: text.replace(f": {FIRST + 3}", f": {FIRST + 4}"), rf"id {FIRST + 4}, expected {FIRST + 3}"),
    (lambda text: text.replace(f": {FIRST + 3}", f": {FIRST + 3}.0"), rf"id {FIRST + 3}\.0, expected"),
]


@pytest.mark.parametrize(("change", "message"), DAMAGED_SPECIAL)
def test_damaged_special_tokens_are_refused_by_name(tmp_path: Path, change: Change, message: str) -> None:
    with pytest.raises(ModelUnavailable, match=r"special_tokens\.json.*" + message):
        Tokenizer.read(changed(tmp_path, "special_tokens.json", change))


@pytest.mark.parametrize("name", ["tokenizer.tiktoken", "special_tokens.json"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    (write_tokenizer(tmp_path) / name).unlink()
    with pytest.raises(ModelUnavailable, match=name):
        Tokenizer.read(tmp_path)


def test_an_empty_token_is_skipped_as_the_reference_does(tmp_path: Path, tokenizer: Tokenizer) -> None:
    again = Tokenizer.read(changed(tmp_path, "tokenizer.tiktoken", lambda text: text + f"= {FIRST}\n\n"))
    assert again.encode("It said...") == tokenizer.encode("It said...")


def test_reading_and_encoding_needs_neither_torch_nor_network_nor_cache(tmp_path: Path) -> None:
    program = f"""
        import pathlib, sys
        def audit(event, arguments):
            if event.startswith(("socket.", "urllib.")) or (event == "open" and "w" in str(arguments[1])):
                raise SystemExit(f"{{event}} {{arguments}}")
        sys.addaudithook(audit)
        from june_tts.fish.tokenizer import Tokenizer
        import june_tts.fish.prompt, june_tts.fish.turns
        Tokenizer.read(pathlib.Path({str(tmp_path)!r})).encode("It said...")
        print(sorted({{"torch", "requests"}} & set(sys.modules)))
    """
    write_tokenizer(tmp_path)
    command = [sys.executable, "-B", "-W", "error", "-c", textwrap.dedent(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)
