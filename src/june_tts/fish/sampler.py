"""Draws tokens by each request's own rules, in fish-speech 0.1.0's order: penalty, top-p, temperature.

The reference draws its noise from one global generator, so a request's codes depend on who else is served.
Here a candidate's noise is a hash of (seed, frame, codebook, candidate): the same alone and in any batch,
without state, and without a loop over the rows.
"""

import torch
from torch import Tensor

from june_tts.fish.sampler_cpu import draw_on_cpu
from june_tts.fish.sampling_rules import LEAST_TEMPERATURE, MIX, Rules


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
    return (draw_on_cpu if logits.device.type == "cpu" else draw_on_device)(logits, rules, key)


def draw_on_device(logits: Tensor, rules: Rules, key: Tensor) -> Tensor:
    """The same by operations that wait for nothing, whatever the rules are: what a CUDA graph needs."""
    likely, ids = logits.softmax(dim=1, dtype=torch.float32).sort(dim=1, descending=True, stable=True)
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
    golden, first, second = MIX
    x = x + golden
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * first
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * second
    return x ^ ((x >> 31) & 0x1FFFFFFFF)
