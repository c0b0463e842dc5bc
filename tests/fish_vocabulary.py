"""A tokenizer of a few hundred merges in the published layout, for tests where merges have to matter.

The merges are learned across every border, words, digits and punctuation alike, so that a wrong pre-token
shows at once as a wrong id. The published vocabulary cannot be had here.
"""

import base64
import functools
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

MERGES = 300
LONGEST = 7
"""Bytes of a token."""
SURE = (
    *(b"..", b"...", b"It", b" It", b"'s", b"'S", b"'t", b"'ll", b"12", b"!!", b"  "),
    *(b"sa", b"id", b"said", b"<|", b"|>"),
)
"""Learned first: what the pattern allows and what it forbids to merge."""
CONTROL = (
    *("begin_of_text", "end_of_text", "pad", "im_start", "im_end", "phoneme_start", "phoneme_end"),
    *("tool_call_start", "tool_call_end", "text", "voice", "interleave", "audio_start", "audio_end", "audio"),
)
SEMANTIC = 4096
CONFIG = {"model_type": "dual_ar", "vocab_size": 10, "dim": 8, "n_layer": 1, "n_head": 2}
SAMPLE = """\
It was the best of rooms, it was the worst of rooms... "Isn't it?" she said; they'll come at 12:30 or 12:45.
I've told them, they're late!! We'd have left, you'd have left, he'll leave.  It is what it is:  two spaces.
The speaker reads the words, and the listener hears them. <|speaker:0|> It's late. <|speaker:0|> It's said...
\tA tab, a line\r\nand another.\n\n\nÜber naïve cafés, Straße und Brücke: größer, schöner, früher. 2026, 2027.
今日は良い天気です。明日も良い天気です。 Привет, мир! Привет ещё раз!  It's day!!! It's day. (excited) Yes...
ISN'T IT? THEY'LL COME.   Three spaces.    Four spaces. a_b_c, x-y-z, f(x) = 3.14 * x ** 2, 100% of 1,000 $.
"""


@functools.cache
def ranks() -> dict[bytes, int]:
    """256 bytes and the merges, in the order in which they were learned."""
    text = [bytes([byte]) for byte in SAMPLE.encode()]
    table = {bytes([byte]): byte for byte in range(256)}
    for rank in range(256, 256 + MERGES):
        token = SURE[rank - 256] if rank < 256 + len(SURE) else _commonest(text, table)
        table[token] = rank
        text = _merged(text, token)
    return table


def _commonest(text: list[bytes], table: dict[bytes, int]) -> bytes:
    pairs = Counter(first + second for first, second in pairwise(text))
    return next(made for made, _ in pairs.most_common() if made not in table and len(made) <= LONGEST)


def _merged(text: list[bytes], token: bytes) -> list[bytes]:
    made: list[bytes] = []
    for part in text:
        if made and made[-1] + part == token:
            made[-1] = token
        else:
            made.append(part)
    return made


def special(first: int) -> dict[str, int]:
    """Control and semantic tokens in the published order."""
    names = [f"<|{name}|>" for name in CONTROL] + [f"<|semantic:{code}|>" for code in range(SEMANTIC)]
    return {name: first + at for at, name in enumerate(names)}


def write_folder(folder: Path) -> Path:
    """What a server looks for in a model's folder before it starts a process for it; the weights are none."""
    (write_tokenizer(folder) / "config.json").write_text(json.dumps(CONFIG))
    for name in ("model.pth", "codec.pth"):
        (folder / name).write_bytes(b"weights")
    return folder


def write_tokenizer(folder: Path) -> Path:
    """tokenizer.tiktoken and special_tokens.json in `folder`, which is returned."""
    lines = [f"{base64.b64encode(token).decode()} {rank}" for token, rank in ranks().items()]
    (folder / "tokenizer.tiktoken").write_text("\n".join(lines) + "\n")
    (folder / "special_tokens.json").write_text(json.dumps(special(len(lines))))
    return folder
