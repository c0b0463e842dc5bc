"""How each row of a batch is drawn, as tensors; and the constants that both samplers share."""

from dataclasses import dataclass

import torch
from torch import Tensor

from june_tts.fish.sequence import SamplingParams

WINDOW = 16
"""Frames that the repetition penalty looks back."""
LEAST_TEMPERATURE = 1e-5

MIX = (-7046029254386353131, -4658895280553007687, -7723592293110705685)
"""The constants of splitmix64 (Steele, Lea and Flood 2014), as signed 64-bit numbers."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Sampling parameters of rows, as tensors of shape (rows,)."""

    temperature: Tensor
    top_p: Tensor
    top_k: Tensor
    penalty: Tensor
    greedy: Tensor
    seed: Tensor

    def of(self, rows: Tensor) -> "Rules":
        return Rules(*(getattr(self, name)[rows] for name in self.__slots__))

    @classmethod
    def empty(cls, rows: int, device: torch.device) -> "Rules":
        def floats() -> Tensor:
            return torch.ones(rows, device=device)

        def longs() -> Tensor:
            return torch.zeros(rows, dtype=torch.int64, device=device)

        return cls(floats(), floats(), longs(), floats(), longs().bool(), longs())

    def put(self, row: int, params: SamplingParams) -> None:
        """The reference holds temperature, top-p and penalty as bfloat16, so 0.8 is 0.80078125."""
        self.temperature[row] = _rounded(params.temperature)
        self.top_p[row] = _rounded(params.top_p)
        self.penalty[row] = _rounded(params.repetition_penalty)
        self.top_k[row] = params.top_k
        self.greedy[row] = params.greedy
        self.seed[row] = params.seed


def _rounded(value: float) -> float:
    return torch.tensor(value, dtype=torch.bfloat16).item()
