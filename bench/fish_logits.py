"""What a precision costs: the error of its logits against float32, on the same inputs.

    python -m bench.fish_logits [--out bench/results/fish_logits.json] [--precisions bfloat16,int8,int4]

A text and 200 frames of codes are given to both towers at once, so that every position has the same input in
every precision: no draw is made. Of the slow head (the token) and of the fast head (nine codes a frame): the
largest error, the root of the mean square, both in logits and beside the spread of float32's own, and at how
many positions another entry is the likeliest. Weights are random, of the published size.
"""

import argparse
import gc
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from bench.fish_checkpoint import SIZES, write_checkpoint
from torch import Tensor

from june_tts.fish.build import RESIDUAL_CODES, Precision, load_model
from june_tts.fish.prompt import Reference, build
from june_tts.fish.sequence import Columns
from june_tts.fish.tokenizer import Tokenizer
from june_tts.fish.transformer import Attend, Model

FRAMES = 200
TEXT = "The ferry leaves at seven, and the road to the harbour is closed."


@dataclass(frozen=True, slots=True)
class HeadError:
    largest: float
    rms: float
    spread: float
    """Standard deviation of float32's logits."""
    other_winner: float
    """Share of positions where another entry is the likeliest."""


@dataclass(frozen=True, slots=True)
class Cost:
    precision: str
    invariant: bool
    slow: HeadError
    fast: HeadError


@dataclass(frozen=True, slots=True)
class Logits:
    slow: Tensor
    """(FRAMES, vocabulary), float32."""
    fast: Tensor
    """(FRAMES, codebooks - 1, codes), float32."""


def main() -> None:
    given = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.checkpoint or write_checkpoint(Path(scratch), given.size, seed=0)
        costs = _costs(folder, given.precisions, given.device)
    found = {
        "size": given.size,
        "device": given.device,
        "positions": FRAMES,
        "torch": torch.__version__,
        "costs": [asdict(cost) for cost in costs],
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(_table(costs) + "\n")


def _costs(folder: Path, precisions: Sequence[Precision], device: str) -> list[Cost]:
    exact = _logits(folder, "float32", True, device)
    costs = []
    for precision in precisions:
        for invariant in (False, True):
            made = _logits(folder, precision, invariant, device)
            gc.collect()  # one model at a time
            slow, fast = _error(made.slow, exact.slow), _error(made.fast, exact.fast)
            costs.append(Cost(precision, invariant, slow, fast))
            sys.stderr.write(f"{_line(costs[-1])}\n")
    return costs


@torch.inference_mode()
def _logits(folder: Path, precision: Precision, invariant: bool, device: str) -> Logits:
    model, tokenizer = (
        load_model(folder, precision, device=device, invariant=invariant),
        Tokenizer.read(folder),
    )
    spoken = _spoken(model)
    columns = build(tokenizer, TEXT, [Reference(TEXT, spoken)]).columns
    # the prompt ends behind the frames, which is no concern here: only they are looked at
    last = int(np.flatnonzero(columns[0] == tokenizer.im_end)[0])
    given = torch.from_numpy(columns[:, :last]).long().to(device)
    x = model.embed(given, tokenizer.semantic_begin, tokenizer.semantic_end)
    hidden = model.slow.run(x, torch.arange(last, device=device), _causal(1))[-FRAMES:]
    slow = model.head(model.slow.final(hidden)).float().cpu()
    return Logits(slow, _fast(model, hidden, torch.from_numpy(spoken).long().to(device)).float().cpu())


def _spoken(model: Model) -> Columns:
    """Codes of FRAMES frames, (codebooks, frames), the same in every precision."""
    random, config = np.random.default_rng(1), model.config
    sizes = [config.codebook_size] + [min(RESIDUAL_CODES, config.codebook_size)] * (config.codebooks - 1)
    return np.stack([random.integers(0, size, FRAMES) for size in sizes]).astype(np.int32)


def _fast(model: Model, hidden: Tensor, codes: Tensor) -> Tensor:
    """Of the fast head for codebooks 1 and on, given the codes before each: (frames, codebooks - 1, n)."""
    frames, books = hidden.shape[0], model.config.codebooks
    known = F.embedding(codes[: books - 1].T, model.fast_embeddings)
    x = torch.cat([model.project_in(hidden).unsqueeze(1), known], dim=1).flatten(0, 1)
    places = torch.arange(books, device=x.device).repeat(frames)
    made = model.fast.run(x, places, _causal(frames)).view(frames, books, -1)[:, 1:]
    return model.fast_head(model.fast.final(made.flatten(0, 1))).view(frames, books - 1, -1)


def _causal(sequences: int) -> Attend:
    """Attention within each of so many sequences of one length, whose rows follow each other."""

    def attend(_: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q4, k4, v4 = (part.view(sequences, -1, *part.shape[1:]).transpose(1, 2) for part in (q, k, v))
        heard = F.scaled_dot_product_attention(q4, k4, v4, is_causal=True, enable_gqa=True)
        return heard.transpose(1, 2).reshape(q.shape)

    return attend


def _error(made: Tensor, exact: Tensor) -> HeadError:
    difference = made - exact
    return HeadError(
        largest=round(difference.abs().max().item(), 4),
        rms=round(difference.square().mean().sqrt().item(), 5),
        spread=round(exact.std().item(), 4),
        other_winner=round((made.argmax(-1) != exact.argmax(-1)).float().mean().item(), 4),
    )


def _table(costs: Sequence[Cost]) -> str:
    head = f"{'precision':>9} {'products':>15}  slow head, fast head: largest, rms, spread, other winner"
    return "\n".join([head, *map(_line, costs)])


def _line(cost: Cost) -> str:
    products = "batch-invariant" if cost.invariant else "usual"
    heads = " | ".join(
        f"{head.largest:7.3f} {head.rms:8.4f} {head.spread:7.3f} {head.other_winner:6.1%}"
        for head in (cost.slow, cost.fast)
    )
    return f"{cost.precision:>9} {products:>15}  {heads}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("bench/results/fish_logits.json"))
    parser.add_argument("--size", choices=SIZES, default="s1-mini")
    parser.add_argument("--checkpoint", type=Path, help="a folder that is there already")
    precisions = ["bfloat16", "float16", "int8", "int4"]
    parser.add_argument("--precisions", type=lambda text: text.split(","), default=precisions)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
