"""What a checkpoint's config.json says of the model's shape (`model_type` dual_ar). No torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from june_tts.errors import ModelUnavailable

MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class TowerShape:
    """The slow or the fast transformer."""

    dim: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    hidden: int
    """Width of the feed-forward layers."""
    qk_norm: bool
    qkv_bias: bool
    o_bias: bool

    @property
    def qkv(self) -> int:
        """Rows of the joint projection: queries, keys, values."""
        return (self.heads + 2 * self.kv_heads) * self.head_dim


@dataclass(frozen=True, slots=True)
class ModelConfig:
    vocab_size: int
    max_positions: int
    rope_base: float
    norm_eps: float
    tied_head: bool
    """The output head is the text embedding's table."""
    scale_embeddings: bool
    """Divide the input by sqrt(codebooks + 1) where it holds codes."""
    codebooks: int
    codebook_size: int
    slow: TowerShape
    fast: TowerShape

    @classmethod
    def read(cls, folder: Path) -> "ModelConfig":
        """Raises: ModelUnavailable, naming the file or the field, its value and what was expected."""
        path = folder / "config.json"
        try:
            if path.stat().st_size > MOST_BYTES:
                raise ModelUnavailable(f"{path} is larger than {MOST_BYTES} bytes, so it is no config.json")
            data = json.loads(path.read_bytes())
        except (OSError, ValueError) as bad:
            why = getattr(bad, "strerror", None) or bad
            raise ModelUnavailable(f"{path} cannot be read: {why}") from bad
        if not isinstance(data, dict):
            raise ModelUnavailable(f"{path} holds no JSON object")
        return _config(_Fields(data, path))


class _Fields:
    """Fields of the file with their defaults, checked."""

    def __init__(self, data: dict[str, Any], path: Path) -> None:
        self._data, self._path = data, path

    def count(self, name: str, default: int | None = None) -> int:
        value = self._data.get(name)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.bad(name, value, "a whole number of at least 1")
        return value

    def number(self, name: str, default: float) -> float:
        value = self._data.get(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
            raise self.bad(name, value, "a number above 0")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self._data.get(name)
        value = default if value is None else value
        if not isinstance(value, bool):
            raise self.bad(name, value, "true or false")
        return value

    def text(self, name: str) -> object:
        return self._data.get(name)

    def bad(self, name: str, value: object, expected: str) -> ModelUnavailable:
        return ModelUnavailable(f"{self._path}: {name} is {value!r}, expected {expected}")


def _config(fields: _Fields) -> ModelConfig:
    if fields.text("model_type") != "dual_ar":
        expected = "'dual_ar' (OpenAudio S1); other families are not served yet"
        raise fields.bad("model_type", fields.text("model_type"), expected)
    if fields.flag("norm_fastlayer_input", False):
        raise fields.bad("norm_fastlayer_input", True, "false: the S2 family is not served yet")
    slow = _slow(fields)
    return ModelConfig(
        vocab_size=fields.count("vocab_size"),
        max_positions=fields.count("max_seq_len", 2048),
        rope_base=fields.number("rope_base", 10_000.0),
        norm_eps=fields.number("norm_eps", 1e-5),
        tied_head=fields.flag("tie_word_embeddings", True),
        scale_embeddings=fields.flag("scale_codebook_embeddings", False),
        codebooks=fields.count("num_codebooks", 4),
        codebook_size=fields.count("codebook_size", 160),
        slow=slow,
        fast=_fast(fields, slow),
    )


def _slow(fields: _Fields) -> TowerShape:
    dim, heads = fields.count("dim"), fields.count("n_head")
    shape = TowerShape(
        dim=dim,
        layers=fields.count("n_layer"),
        heads=heads,
        kv_heads=fields.count("n_local_heads", heads),
        head_dim=fields.count("head_dim", max(1, dim // heads)),
        hidden=fields.count("intermediate_size", -(-(8 * dim // 3) // 256) * 256),
        qk_norm=fields.flag("attention_qk_norm", False),
        qkv_bias=fields.flag("attention_qkv_bias", False),
        o_bias=fields.flag("attention_o_bias", False),
    )
    return _checked(shape, fields, "")


def _fast(fields: _Fields, slow: TowerShape) -> TowerShape:
    """Fields that are absent or null are the slow tower's."""
    shape = TowerShape(
        dim=fields.count("fast_dim", slow.dim),
        layers=fields.count("n_fast_layer", 4),
        heads=fields.count("fast_n_head", slow.heads),
        kv_heads=fields.count("fast_n_local_heads", slow.kv_heads),
        head_dim=fields.count("fast_head_dim", slow.head_dim),
        hidden=fields.count("fast_intermediate_size", slow.hidden),
        qk_norm=fields.flag("fast_attention_qk_norm", slow.qk_norm),
        qkv_bias=fields.flag("fast_attention_qkv_bias", slow.qkv_bias),
        o_bias=fields.flag("fast_attention_o_bias", slow.o_bias),
    )
    return _checked(shape, fields, "fast_")


def _checked(shape: TowerShape, fields: _Fields, prefix: str) -> TowerShape:
    if shape.heads % shape.kv_heads:
        name = f"{prefix}n_local_heads"
        raise fields.bad(name, shape.kv_heads, f"a divisor of {prefix}n_head, {shape.heads}")
    if shape.head_dim % 2:
        raise fields.bad(f"{prefix}head_dim", shape.head_dim, "an even number, for rotary positions")
    return shape
