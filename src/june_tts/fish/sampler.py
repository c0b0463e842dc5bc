"""Draws tokens by each request's own rules, in fish-speech 0.1.0's order: penalty, top-p, temperature.

The reference draws its noise from one global generator, so a request's codes depend on who else is served.
Here a candidate's noise is a hash of (seed, frame, codebook, candidate): the same alone and in any batch,
without state, and without a loop over the rows.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from june_tts.fish.sequence import SamplingParams

WINDOW = 16
"""Frames that the repetition penalty looks back."""
CANDIDATES = 128
"""Likeliest entries among which top-p is looked for on a CPU; where they hold less, all are sorted."""
LEAST_TEMPERATURE = 1e-5

_GOLDEN, _MIX_1, _MIX_2 = -7046029254386353131, -4658895280553007687, -7723592293110705685
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


def penalised(logits: Tensor, seen: Tensor, penalty: Tensor, applies: Tensor) -> Tensor:
    """Make ids that came before less likely (Keskar et al. 2019), in place; the logits again.

    Args:
        logits: (rows, entries).
        seen: (rows, ids) of entries; one that occurs twice counts once.
        penalty: (rows,), above 1 for less likely.
        applies: (rows,) of bool.
    """
    scores = logits.gather(1, seen)
    by = penalty.unsqueeze(1)
    changed = torch.where(scores < 0, scores * by, scores / by).to(logits.dtype)
    return logits.scatter_(1, seen, torch.where(applies.unsqueeze(1), changed, scores))


def draw(logits: Tensor, rules: Rules, key: Tensor) -> Tensor:
    """One entry per row; (rows, entries) to (rows,) of int64.

    Args:
        key: (rows,), of `noise_keys`.
    """
    if logits.device.type == "cpu" and bool(rules.greedy.all()):
        return logits.argmax(dim=1)
    ids, likely = _candidates(logits, rules)
    keep = torch.cumsum(likely, dim=1) <= rules.top_p.unsqueeze(1)
    rank = torch.arange(ids.shape[1], device=ids.device)
    keep &= (rules.top_k.unsqueeze(1) == 0) | (rank < rules.top_k.unsqueeze(1))
    keep[:, 0] = True
    scores = logits.gather(1, ids).float()
    tempered = scores / rules.temperature.clamp(min=LEAST_TEMPERATURE).unsqueeze(1)
    noisy = tempered + gumbel(key, ids)
    chosen = noisy.masked_fill(~keep, -torch.inf).argmax(dim=1)
    chosen = torch.where(rules.greedy, 0, chosen)
    return ids.gather(1, chosen.unsqueeze(1)).squeeze(1)


def _candidates(logits: Tensor, rules: Rules) -> tuple[Tensor, Tensor]:
    """The likeliest entries, best first, as ids, and their probabilities among all entries.

    On a CPU a sort of 155,776 entries costs as much as half a frame. What lies beyond top-p cannot be drawn,
    so the few likeliest that hold it are enough.
    """
    likely = logits.softmax(dim=1, dtype=torch.float32)
    if likely.device.type == "cpu" and likely.shape[1] > 2 * CANDIDATES:
        top, ids = likely.topk(CANDIDATES, dim=1)
        if bool(((top.sum(dim=1) > rules.top_p) | _few(rules.top_k) | rules.greedy).all()):
            return ids, top
    top, ids = likely.sort(dim=1, descending=True, stable=True)
    return ids, top


def _few(top_k: Tensor) -> Tensor:
    return (top_k > 0) & (top_k <= CANDIDATES)


def noise_keys(seed: Tensor, frame: Tensor, codebooks: int) -> Tensor:
    """Where each codebook's noise of a frame begins, (codebooks, rows).

    Args:
        seed, frame: (rows,), the request's, and the frame's number within it.
    """
    codebook = torch.arange(codebooks, device=seed.device).unsqueeze(1)
    return _mixed(_mixed(seed) + frame * 64 + codebook)


def gumbel(key: Tensor, ids: Tensor) -> Tensor:
    """Noise whose addition to logits makes their argmax a draw from their softmax (Gumbel 1954).

    The same as the reference's argmax of p / q with q from Exp(1), since -log q has this distribution.

    Args:
        key: (rows,). ids: (rows, candidates).
    """
    # with the half, 24 bits: float32 holds them all, and never 1.0
    bits = (_mixed(key.unsqueeze(1) ^ ids) >> 41) & 0x7FFFFF
    uniform = (bits.float() + 0.5) / (1 << 23)
    return -torch.log(-torch.log(uniform))


def _mixed(x: Tensor) -> Tensor:
    """splitmix64's finaliser. Shifts of int64 bring in the sign, so it is masked away."""
    x = x + _GOLDEN
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * _MIX_1
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * _MIX_2
    return x ^ ((x >> 31) & 0x1FFFFFFFF)
