"""Reads a dual_ar checkpoint's tensors, memory-mapped, and checks every name and shape before any is used."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from june_tts.errors import ModelUnavailable
from june_tts.fish.codec_weights import first_line
from june_tts.fish.config import ModelConfig, TowerShape

Tensors = dict[str, torch.Tensor]
Shape = tuple[int, ...]


def read_tensors(folder: Path, config: ModelConfig) -> Tensors:
    """All tensors of the model, still on disk: read when they are first touched.

    Taken from model.safetensors.index.json and its shards, model.safetensors or model.pth, whichever is there
    first.

    Raises:
        ModelUnavailable: no such file, a damaged one, or a tensor that is missing, misshapen or unknown.
    """
    tensors = _renamed(_raw(folder))
    expected = dict(tensor_shapes(config))
    if missing := sorted(set(expected) - set(tensors)):
        raise ModelUnavailable(f"{folder} lacks {len(missing)} tensors, the first is {missing[0]}")
    if unknown := sorted(set(tensors) - set(expected)):
        raise ModelUnavailable(
            f"{folder} has {len(unknown)} tensors its config.json does not know: {unknown[0]}"
        )
    for name, shape in expected.items():
        if tuple(tensors[name].shape) != shape:
            found = tuple(tensors[name].shape)
            raise ModelUnavailable(f"{folder}: {name} has shape {found}, expected {shape} by config.json")
    return tensors


def tensor_shapes(config: ModelConfig) -> Iterator[tuple[str, Shape]]:
    """Every tensor's name and shape."""
    slow, fast = config.slow, config.fast
    yield "embeddings.weight", (config.vocab_size, slow.dim)
    yield "codebook_embeddings.weight", (config.codebooks * config.codebook_size, slow.dim)
    yield from _tower("layers", slow)
    yield "norm.weight", (slow.dim,)
    if not config.tied_head:
        yield "output.weight", (config.vocab_size, slow.dim)
    if fast.dim != slow.dim:
        yield "fast_project_in.weight", (fast.dim, slow.dim)
        yield "fast_project_in.bias", (fast.dim,)
    yield "fast_embeddings.weight", (config.codebook_size, fast.dim)
    yield from _tower("fast_layers", fast)
    yield "fast_norm.weight", (fast.dim,)
    yield "fast_output.weight", (config.codebook_size, fast.dim)


def _tower(prefix: str, shape: TowerShape) -> Iterator[tuple[str, Shape]]:
    for layer in range(shape.layers):
        name = f"{prefix}.{layer}"
        yield f"{name}.attention.wqkv.weight", (shape.qkv, shape.dim)
        yield f"{name}.attention.wo.weight", (shape.dim, shape.heads * shape.head_dim)
        if shape.qkv_bias:
            yield f"{name}.attention.wqkv.bias", (shape.qkv,)
        if shape.o_bias:
            yield f"{name}.attention.wo.bias", (shape.dim,)
        if shape.qk_norm:
            yield f"{name}.attention.q_norm.weight", (shape.head_dim,)
            yield f"{name}.attention.k_norm.weight", (shape.head_dim,)
        yield f"{name}.feed_forward.w1.weight", (shape.hidden, shape.dim)
        yield f"{name}.feed_forward.w3.weight", (shape.hidden, shape.dim)
        yield f"{name}.feed_forward.w2.weight", (shape.dim, shape.hidden)
        yield f"{name}.attention_norm.weight", (shape.dim,)
        yield f"{name}.ffn_norm.weight", (shape.dim,)


def _raw(folder: Path) -> Tensors:
    if (index := folder / "model.safetensors.index.json").is_file():
        return _shards(index)
    if (single := folder / "model.safetensors").is_file():
        return _safetensors(single)
    if (pth := folder / "model.pth").is_file():
        return read_pth(pth)
    names = "model.pth, model.safetensors or model.safetensors.index.json"
    raise ModelUnavailable(f"{folder} holds none of {names}")


def read_pth(path: Path) -> dict[str, Any]:
    """The dictionary in a file of torch.save, without running anything that is in it.

    Raises:
        ModelUnavailable: it cannot be read, or holds no dictionary.
    """
    try:
        state = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except Exception as bad:
        raise ModelUnavailable(
            f"{path} is damaged, cut short, or no file of tensors ({first_line(bad)})"
        ) from bad
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict):
        raise ModelUnavailable(f"{path} holds a {type(state).__name__}, expected a dictionary of tensors")
    return state


def _shards(index: Path) -> Tensors:
    try:
        files = json.loads(index.read_bytes())["weight_map"].values()
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as bad:
        raise ModelUnavailable(f"{index} cannot be read: {bad!r}") from bad
    tensors: Tensors = {}
    for name in sorted(set(files)):
        if Path(str(name)).name != name:
            raise ModelUnavailable(f"{index} names the shard {name!r}, expected a file of the same folder")
        tensors |= _safetensors(index.parent / name)
    return tensors


def _safetensors(path: Path) -> Tensors:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError) as bad:
        raise ModelUnavailable(f"{path} cannot be read as safetensors: {bad}") from bad


def _renamed(state: dict[str, Any]) -> Tensors:
    """Names as they are used here: no `model.` before them, no audio projector, q, k and v in one."""
    tensors: Tensors = {}
    for name, value in state.items():
        if isinstance(value, torch.Tensor) and "audio_" not in name:
            tensors[name.removeprefix("model.")] = value
    for name in [name for name in tensors if name.endswith(".attention.wq.weight")]:
        stem = name.removesuffix("wq.weight")
        parts = [tensors.pop(f"{stem}{part}.weight", None) for part in ("wq", "wk", "wv")]
        tensors[f"{stem}wqkv.weight"] = torch.cat([part for part in parts if part is not None])
    return tensors
