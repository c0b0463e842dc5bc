"""How often codes depend on company: the same requests alone, and in batches of 2, 4, 8 and 16.

    python -m bench.fish_divergence [--out bench/results/fish_divergence.json] [--precisions bfloat16,int8]

Requests with texts of their own, greedy and drawn with seeds of their own, by each precision's usual
products and by the batch-invariant ones. Of each batch size: how many of the requests got other codes than
alone, and at which frame the first of them differs. From there on the two go their own ways: both are what
the model would say, neither is worse. Weights are random, of the published size; a trained model's
likelihoods are closer together or further apart, so its share will be another one.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from bench.fish_checkpoint import SIZES, write_checkpoint

from june_tts.fish.build import Precision, load_model
from june_tts.fish.events import Failed, Frames, LoopConfig, Request
from june_tts.fish.loop import Loop
from june_tts.fish.offline import special_tokens
from june_tts.fish.prompt import Prompt, build
from june_tts.fish.runner import TorchRunner
from june_tts.fish.sequence import Codes, SamplingParams
from june_tts.fish.tokenizer import Tokenizer

BATCHES = (2, 4, 8, 16)
WORDS = (
    "the ferry leaves at seven and road to harbour is closed so please be there half an hour before".split()
)
Drawing = Literal["greedy", "drawn"]


@dataclass(frozen=True, slots=True)
class Share:
    """Of the requests in batches of one size."""

    precision: str
    invariant: bool
    drawing: Drawing
    batch: int
    differing: int
    requests: int
    first_frames: tuple[int, ...]
    """Where each of those that differ first does, sorted; frames count from 0."""


def main() -> None:
    given = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.checkpoint or write_checkpoint(Path(scratch), given.size, seed=0)
        shares = [share for precision in given.precisions for share in _shares(folder, precision, given)]
    found = {
        "size": given.size,
        "device": given.device,
        "frames": given.frames,
        "torch": torch.__version__,
        "shares": [asdict(share) for share in shares],
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(_table(shares) + "\n")


def _shares(folder: Path, precision: Precision, given: argparse.Namespace) -> Iterator[Share]:
    tokenizer = Tokenizer.read(folder)
    prompts = [build(tokenizer, text) for text in _texts(given.requests)]
    positions = max(prompt.columns.shape[1] for prompt in prompts) + given.frames
    for invariant in (False, True):
        model = load_model(folder, precision, device=given.device, invariant=invariant)
        runner = TorchRunner(model, special_tokens(tokenizer), slots=len(prompts), positions=positions)
        for drawing in get_args(Drawing):
            alone = _codes(runner, prompts, 1, drawing, given.frames)
            for batch in (size for size in BATCHES if size <= len(prompts)):
                together = _codes(runner, prompts, batch, drawing, given.frames)
                share = _share(precision, invariant, drawing, batch, alone, together)
                sys.stderr.write(f"{_line(share)}\n")
                yield share


def _texts(count: int) -> list[str]:
    """Of 4 words and more, so that those of a batch neither begin nor stand at the same position."""
    return [
        " ".join(WORDS[(word * 7 + number) % len(WORDS)] for word in range(4 + number))
        for number in range(count)
    ]


def _codes(
    runner: TorchRunner, prompts: Sequence[Prompt], batch: int, drawing: Drawing, frames: int
) -> list[Codes]:
    """Of every request, in batches of so many."""
    return [
        codes
        for first in range(0, len(prompts), batch)
        for codes in _batch(runner, prompts[first : first + batch], first, drawing, frames)
    ]


def _batch(
    runner: TorchRunner, prompts: Sequence[Prompt], first: int, drawing: Drawing, frames: int
) -> list[Codes]:
    loop = Loop(runner, None, LoopConfig(max_waiting=len(prompts), illegal_guard=0))
    for number, prompt in enumerate(prompts):
        params = SamplingParams(
            greedy=drawing == "greedy",
            seed=first + number,
            semantic_only=True,
            min_frames=frames,
            max_frames=frames,
        )
        loop.submit(Request(str(number), prompt.columns, prompt.prefix, params, realtime=False))
    parts: list[list[Codes]] = [[] for _ in prompts]
    while loop.busy:
        for event in loop.turn():
            if isinstance(event, Failed):
                raise SystemExit(f"a request failed: {event.message}")
            if isinstance(event, Frames):
                parts[int(event.id)].append(event.codes)
    return [np.concatenate(part, axis=1) for part in parts]


def _share(
    precision: str,
    invariant: bool,
    drawing: Drawing,
    batch: int,
    alone: Sequence[Codes],
    together: Sequence[Codes],
) -> Share:
    firsts = sorted(
        int((one != other).any(axis=0).argmax())
        for one, other in zip(alone, together, strict=True)
        if not np.array_equal(one, other)
    )
    return Share(precision, invariant, drawing, batch, len(firsts), len(alone), tuple(firsts))


def _table(shares: Sequence[Share]) -> str:
    head = f"{'precision':>9} {'products':>15} {'drawing':>7} {'batch':>5} {'differing':>9}  first frame"
    return "\n".join([head, *map(_line, shares)])


def _line(share: Share) -> str:
    firsts = share.first_frames
    where = f"least {firsts[0]}, median {statistics.median(firsts):g}" if firsts else "-"
    products = "batch-invariant" if share.invariant else "usual"
    differing = f"{share.differing}/{share.requests}"
    return f"{share.precision:>9} {products:>15} {share.drawing:>7} {share.batch:>5} {differing:>9}  {where}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("bench/results/fish_divergence.json"))
    parser.add_argument("--size", choices=SIZES, default="s1-mini")
    parser.add_argument("--checkpoint", type=Path, help="a folder that is there already")
    parser.add_argument("--precisions", type=lambda text: text.split(","), default=["bfloat16", "int8"])
    parser.add_argument("--requests", type=int, default=16)
    parser.add_argument("--frames", type=int, default=50, help="of each request")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


if __name__ == "__main__":
    main()
