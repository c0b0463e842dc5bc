"""Builds a model of a checkpoint's tensors, in a precision, on a device."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from june_tts.errors import InvalidRequest
from june_tts.fish.checkpoint import Tensors, read_tensors
from june_tts.fish.compiled import compiled
from june_tts.fish.config import ModelConfig, TowerShape
from june_tts.fish.linear import Invariant, Linear, dense
from june_tts.fish.quantize import int4, int8
from june_tts.fish.transformer import EAGER, Between, Layer, Model, Tower, rope_table

Precision = Literal["float32", "bfloat16", "float16", "int8", "int4"]
RESIDUAL_CODES = 1024
"""Codes of every codebook but the first; fish-speech 0.1.0 cuts the fast logits to as many."""

PRECISIONS: tuple[str, ...] = get_args(Precision)

Make = Callable[[Tensor, Tensor | None], Linear]


def load_model(
    folder: Path,
    precision: Precision = "bfloat16",
    *,
    device: str = "cpu",
    invariant: bool | None = None,
    compile: bool = False,
) -> Model:
    """Read, check and lay out a checkpoint.

    Args:
        precision: of weights and arithmetic; int8 and int4 keep activations, embeddings and the fast tower's
            head in bfloat16.
        invariant: a row's result does not depend on the batch it is in; None for float32 alone.
        compile: have torch write kernels for what is between the products; see `compiled.py`.

    Raises:
        ModelUnavailable: a file or tensor is missing or wrong.
        InvalidRequest: no such precision or device.
    """
    if precision not in PRECISIONS:
        raise InvalidRequest(
            f"dtype is {precision!r}, expected one of {', '.join(PRECISIONS)}", param="dtype"
        )
    config = ModelConfig.read(folder)
    place = _device(device)
    kind = getattr(torch, precision) if precision in ("float32", "bfloat16", "float16") else torch.bfloat16
    keep = precision == "float32" if invariant is None else invariant
    between = compiled() if compile else EAGER
    return _Builder(config, read_tensors(folder, config), precision, kind, place, keep, between).model()


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError as bad:
        raise InvalidRequest(f"device is {name!r}, expected cpu, cuda or cuda:N", param="device") from bad
    if device.type not in ("cpu", "cuda"):
        raise InvalidRequest(f"device is {name!r}, expected cpu, cuda or cuda:N", param="device")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InvalidRequest(f"device is {name!r}, but torch finds no GPU here", param="device")
    return device


class _Builder:
    def __init__(
        self,
        config: ModelConfig,
        tensors: Tensors,
        precision: Precision,
        dtype: torch.dtype,
        device: torch.device,
        invariant: bool,
        between: Between,
    ) -> None:
        self._config, self._tensors, self._precision = config, tensors, precision
        self._dtype, self._device, self._invariant, self._between = dtype, device, invariant, between

    def model(self) -> Model:
        config = self._config
        head = "embeddings.weight" if config.tied_head else "output.weight"
        return Model(
            config=config,
            slow=self._tower("layers", "norm.weight", config.slow, config.max_positions),
            fast=self._tower("fast_layers", "fast_norm.weight", config.fast, config.codebooks),
            embeddings=self._tensor("embeddings.weight"),
            codebook_embeddings=self._tensor("codebook_embeddings.weight"),
            head=self._linear(head),
            project_in=self._project_in(),
            fast_embeddings=self._tensor("fast_embeddings.weight"),
            fast_head=self._fast_head(),
            invariant=self._invariant,
        )

    def _tower(self, prefix: str, norm: str, shape: TowerShape, positions: int) -> Tower:
        layers = tuple(self._layer(f"{prefix}.{number}", shape) for number in range(shape.layers))
        rope = rope_table(positions, shape.head_dim, self._config.rope_base, self._device)
        return Tower(shape, layers, self._tensor(norm), self._config.norm_eps, rope, self._between)

    def _layer(self, name: str, shape: TowerShape) -> Layer:
        attention, feed = f"{name}.attention", f"{name}.feed_forward"
        gate_up = torch.cat([self._tensor(f"{feed}.w1.weight"), self._tensor(f"{feed}.w3.weight")])
        return Layer(
            attention_norm=self._tensor(f"{name}.attention_norm.weight"),
            wqkv=self._linear(f"{attention}.wqkv.weight", self._bias(f"{attention}.wqkv.bias")),
            qk_norm=self._qk_norm(attention, shape) if shape.qk_norm else None,
            wo=self._linear(f"{attention}.wo.weight", self._bias(f"{attention}.wo.bias")),
            ffn_norm=self._tensor(f"{name}.ffn_norm.weight"),
            w13=self._made(gate_up, None),
            w2=self._linear(f"{feed}.w2.weight"),
        )

    def _qk_norm(self, attention: str, shape: TowerShape) -> Tensor:
        queries = self._tensor(f"{attention}.q_norm.weight").expand(shape.heads, -1)
        keys = self._tensor(f"{attention}.k_norm.weight").expand(shape.kv_heads, -1)
        return torch.cat([queries, keys])

    def _project_in(self) -> Linear:
        if "fast_project_in.weight" not in self._tensors:
            return _same
        return self._linear("fast_project_in.weight", self._tensor("fast_project_in.bias"))

    def _fast_head(self) -> Linear:
        """Only the rows that can win. They decide nine codes a frame and are few: never below 16 bits."""
        rows = min(RESIDUAL_CODES, self._config.codebook_size)
        return self._wrapped(dense(self._tensor("fast_output.weight")[:rows], None))

    def _tensor(self, name: str) -> Tensor:
        return self._tensors[name].to(self._device, self._dtype)

    def _bias(self, name: str) -> Tensor | None:
        return self._tensor(name) if name in self._tensors else None

    def _linear(self, name: str, bias: Tensor | None = None) -> Linear:
        return self._made(self._tensor(name), bias)

    def _made(self, weight: Tensor, bias: Tensor | None) -> Linear:
        makes: dict[str, Make] = {"int8": int8, "int4": int4}
        return self._wrapped(makes.get(self._precision, dense)(weight, bias))

    def _wrapped(self, linear: Linear) -> Linear:
        return Invariant(linear) if self._invariant else linear


def _same(x: Tensor) -> Tensor:
    return x
