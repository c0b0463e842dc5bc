"""Writes a Fish Speech checkpoint (S1 layout) of random weights: the published files, shapes and cost,
and noise for a voice. For comparing with the reference, and for measuring without the published weights.

    python -m bench.fish_checkpoint OUT --size tiny --seed 7
    python -m bench.fish_checkpoint OUT --size s1-mini --set n_layer=6

Needs only torch. The LM alone; the codec's file is written by bench/fish_codec_file.py.
"""

import argparse
import base64
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

CONTROL = (
    *("begin_of_text", "end_of_text", "pad", "im_start", "im_end", "phoneme_start", "phoneme_end"),
    *("tool_call_start", "tool_call_end", "text", "voice", "interleave", "audio_start", "audio_end", "audio"),
)
"""In the order of the published tokenizer; the semantic tokens follow."""
SEMANTIC = 4096
BYTES = 256
"""The text vocabulary: one token for each byte, so that no published table is needed."""

COMMON: dict[str, Any] = {
    "model_type": "dual_ar",
    "rope_base": 1_000_000,
    "norm_eps": 1e-6,
    "max_seq_len": 8192,
    "tie_word_embeddings": False,
    "scale_codebook_embeddings": True,
    "attention_qk_norm": True,
    "attention_qkv_bias": False,
    "attention_o_bias": False,
    "codebook_size": SEMANTIC,
    "num_codebooks": 10,
    "fast_attention_qk_norm": False,
    "fast_attention_qkv_bias": False,
    "fast_attention_o_bias": False,
}
SIZES: dict[str, dict[str, Any]] = {
    "tiny": {
        "vocab_size": BYTES + len(CONTROL) + SEMANTIC,
        **{
            "n_layer": 4,
            "n_head": 4,
            "n_local_heads": 2,
            "head_dim": 32,
            "dim": 128,
            "intermediate_size": 256,
        },
        **{"n_fast_layer": 2, "fast_dim": 96, "fast_n_head": 4, "fast_n_local_heads": 2, "fast_head_dim": 24},
        "fast_intermediate_size": 192,
    },
    "s1-mini": {
        "vocab_size": 155776,
        **{"n_layer": 28, "n_head": 16, "n_local_heads": 8, "head_dim": 128, "dim": 1024},
        **{"intermediate_size": 3072, "n_fast_layer": 4, "fast_dim": 1024, "fast_n_head": 16},
        **{"fast_n_local_heads": 8, "fast_head_dim": 64, "fast_intermediate_size": 3072},
    },
}
Shapes = Iterator[tuple[str, tuple[int, ...]]]


def write_checkpoint(
    folder: Path,
    size: str = "tiny",
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.bfloat16,
    words: Sequence[str] = (),
    **changes: Any,
) -> Path:
    """config.json, model.pth, tokenizer.tiktoken and special_tokens.json in `folder`, which is returned.

    `words`, each once, become tokens of their own, with the blank before them, as most are in the published
    table; the rest of a text is a token a byte.
    """
    config = COMMON | SIZES[size] | changes
    text = [bytes([byte]) for byte in range(BYTES)] + [word.encode() for word in words]
    if size == "tiny":
        config["vocab_size"] += len(words)
    folder.mkdir(parents=True, exist_ok=True)
    tokens = [f"<|{name}|>" for name in CONTROL] + [f"<|semantic:{i}|>" for i in range(SEMANTIC)]
    ranks = [f"{base64.b64encode(token).decode()} {rank}" for rank, token in enumerate(text)]
    (folder / "tokenizer.tiktoken").write_text("\n".join(ranks) + "\n")
    (folder / "special_tokens.json").write_text(json.dumps({t: len(text) + i for i, t in enumerate(tokens)}))
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    spread = 0.02 if size == "s1-mini" else 0.3
    first = len(text) + len(CONTROL)
    torch.save(_state(config, seed, spread, dtype, first), folder / "model.pth")
    return folder


def _state(
    config: Mapping[str, Any], seed: int, spread: float, dtype: torch.dtype, first: int
) -> dict[str, torch.Tensor]:
    """`first`: the id of the first semantic token."""
    random = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}
    for name, shape in shapes(config):
        norm = name.endswith("norm.weight")
        state[name] = (torch.ones(shape) if norm else torch.randn(shape, generator=random) * spread).to(dtype)
    # a trained model proposes a semantic token or <|im_end|>, so the noise keeps to the semantic rows
    head = state["embeddings.weight" if config["tie_word_embeddings"] else "output.weight"]
    head[:first] *= 0.02
    head[first + SEMANTIC :] *= 0.02
    head[first : first + SEMANTIC] *= 10 / (spread * config["dim"] ** 0.5)  # logits with a spread of ten
    return state


def shapes(config: Mapping[str, Any]) -> Shapes:
    """Every tensor of model.pth with its shape."""
    dim, fast = config["dim"], config["fast_dim"]
    yield "embeddings.weight", (config["vocab_size"], dim)
    yield "codebook_embeddings.weight", (config["codebook_size"] * config["num_codebooks"], dim)
    yield from _tower("layers", config, "", config["n_layer"])
    yield "norm.weight", (dim,)
    if not config["tie_word_embeddings"]:
        yield "output.weight", (config["vocab_size"], dim)
    if fast != dim:
        yield "fast_project_in.weight", (fast, dim)
        yield "fast_project_in.bias", (fast,)
    yield "fast_embeddings.weight", (config["codebook_size"], fast)
    yield from _tower("fast_layers", config, "fast_", config["n_fast_layer"])
    yield "fast_norm.weight", (fast,)
    yield "fast_output.weight", (config["codebook_size"], fast)


def _tower(name: str, config: Mapping[str, Any], kind: str, layers: int) -> Shapes:
    dim, hidden = config[f"{kind}dim"], config[f"{kind}intermediate_size"]
    heads, kv, width = (config[f"{kind}{key}"] for key in ("n_head", "n_local_heads", "head_dim"))
    for layer in range(layers):
        attention = f"{name}.{layer}.attention"
        yield f"{attention}.wqkv.weight", ((heads + 2 * kv) * width, dim)
        if config[f"{kind}attention_qkv_bias"]:
            yield f"{attention}.wqkv.bias", ((heads + 2 * kv) * width,)
        yield f"{attention}.wo.weight", (dim, heads * width)
        if config[f"{kind}attention_o_bias"]:
            yield f"{attention}.wo.bias", (dim,)
        if config[f"{kind}attention_qk_norm"]:
            yield f"{attention}.q_norm.weight", (width,)
            yield f"{attention}.k_norm.weight", (width,)
        for part, shape in (("w1", (hidden, dim)), ("w3", (hidden, dim)), ("w2", (dim, hidden))):
            yield f"{name}.{layer}.feed_forward.{part}.weight", shape
        yield f"{name}.{layer}.ffn_norm.weight", (dim,)
        yield f"{name}.{layer}.attention_norm.weight", (dim,)


def words_of(text: str) -> list[str]:
    """Each once, with the blank before it; a single byte is a token anyway."""
    return sorted({word for word in re.findall(r" ?[^\W\d_]+", text) if len(word.encode()) > 1})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--words", type=Path, help="texts whose words become tokens of their own")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16")
    given = parser.parse_args()
    changes = dict(item.split("=", 1) for item in given.set)
    if unknown := set(changes) - set(COMMON | SIZES[given.size]):
        parser.error(f"no config field {', '.join(sorted(unknown))}")
    values = {key: json.loads(value) for key, value in changes.items()}
    dtype = getattr(torch, given.dtype)
    words = words_of(given.words.read_text()) if given.words else []
    write_checkpoint(given.out, given.size, seed=given.seed, dtype=dtype, words=words, **values)
    sys.stdout.write(f"{given.out}: {sum(1 for _ in given.out.iterdir())} files\n")


if __name__ == "__main__":
    main()
