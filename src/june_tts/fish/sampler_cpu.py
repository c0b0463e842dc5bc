"""Drawing on a CPU: the same draw as `sampler.py` makes on a GPU, by numpy, over no more than can be drawn.

A frame draws ten times, and a row of 1,024 entries is little: torch's cost of some 4 us for each of forty
operations was 5 ms a frame, and its sort of 16 such rows 0.7 ms. numpy takes a tenth of both.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from june_tts.fish.sampling_rules import LEAST_TEMPERATURE, MIX, Rules

CANDIDATES = 128
"""Likeliest entries among which top-p is looked for; where they hold less, all are sorted."""
SORTED_AT_ONCE = 4096
"""So few entries are sorted without looking for the likeliest first."""

LOW = 0xFFFFFFFF
"""The bits of a key that hold its id, upside down."""

Ids = NDArray[np.int64]
"""(rows, candidates)."""
Shares = NDArray[np.float32]


def draw_on_cpu(logits: Tensor, rules: Rules, key: Tensor) -> Tensor:
    """One entry per row; (rows, entries) to (rows,) of int64.

    Args:
        key: (rows,), of `noise_keys`.
    """
    if bool(rules.greedy.all()):
        return logits.argmax(dim=1)
    ids, likely = _candidates(logits, rules)
    kept = _kept(likely, rules)
    ids = ids[:, : kept.max()]
    scores = logits.gather(1, torch.from_numpy(ids)).float().numpy()
    tempered = scores / rules.temperature.numpy().clip(LEAST_TEMPERATURE)[:, None]
    noisy = tempered + gumbel(key.numpy(), ids)
    noisy[np.arange(ids.shape[1]) >= kept[:, None]] = -np.inf
    return torch.from_numpy(ids[np.arange(len(ids)), noisy.argmax(axis=1)])


def _kept(likely: Shares, rules: Rules) -> Ids:
    """How many of each row can be drawn, (rows,): one at least, and what top-p and top-k leave."""
    within = (np.cumsum(likely, axis=1) <= rules.top_p.numpy()[:, None]).sum(axis=1)
    top_k = rules.top_k.numpy()
    limit = np.where(top_k > 0, top_k, likely.shape[1])
    limit[rules.greedy.numpy()] = 1
    kept: Ids = np.minimum(within, limit).clip(1)
    return kept


def _candidates(logits: Tensor, rules: Rules) -> tuple[Ids, Shares]:
    """The likeliest entries, best first, as ids, and their probabilities among all entries.

    A sort of 155,776 entries costs as much as half a frame. What lies beyond top-p cannot be drawn, so the
    few likeliest that hold it are enough.
    """
    likely = logits.softmax(dim=1, dtype=torch.float32)
    if likely.shape[1] <= SORTED_AT_ONCE:
        return _sorted(likely.numpy(), np.arange(likely.shape[1]))
    top, ids = likely.topk(CANDIDATES, dim=1)
    if bool(((top.sum(dim=1) > rules.top_p) | _few(rules.top_k) | rules.greedy).all()):
        return _sorted(top.numpy(), ids.numpy())
    return _sorted(likely.numpy(), np.arange(likely.shape[1]))


def _few(top_k: Tensor) -> Tensor:
    return (top_k > 0) & (top_k <= CANDIDATES)


def _sorted(likely: Shares, ids: Ids) -> tuple[Ids, Shares]:
    """Best first, of equals the lower id. numpy sorts whole numbers with vector instructions; a probability's
    bits, read as a whole number, are in its order."""
    keys = likely.view(np.int32).astype(np.int64) << 32
    keys |= LOW - ids
    keys.sort(axis=1)
    best = np.ascontiguousarray(keys[:, ::-1])
    return LOW - (best & LOW), (best >> 32).astype(np.int32).view(np.float32)


def gumbel(key: Ids, ids: Ids) -> Shares:
    """As `sampler.gumbel`, of which this is the same function."""
    bits = (_mixed(key[:, None] ^ ids) >> np.uint64(41)) & np.uint64(0x7FFFFF)
    uniform = (bits.astype(np.float32) + np.float32(0.5)) / np.float32(1 << 23)
    noise: Shares = -np.log(-np.log(uniform))
    return noise


def _mixed(key: Ids) -> NDArray[np.uint64]:
    """splitmix64's finaliser."""
    golden, first, second = (np.uint64(constant % (1 << 64)) for constant in MIX)
    x = key.view(np.uint64) + golden
    x = (x ^ (x >> np.uint64(30))) * first
    x = (x ^ (x >> np.uint64(27))) * second
    return x ^ (x >> np.uint64(31))
