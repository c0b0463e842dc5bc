"""The Fish engine on a CPU beside fish-speech 0.1.0, at the published size, in turns.

    python -m bench.fish_cpu --out bench/results/fish_cpu.json

In turns, because a machine that others use is faster in one minute than in the next: each round measures
every contender once, and a ratio is the median of the rounds' ratios. Needs fish-speech 0.1.0 installed.
About ten minutes and 14 GB of memory.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from bench.fish_checkpoint import SIZES, write_checkpoint

from june_tts.fish.build import load_model
from june_tts.fish.offline import special_tokens
from june_tts.fish.peer import Peer
from june_tts.fish.prompt import build
from june_tts.fish.runner import TorchRunner
from june_tts.fish.sequence import Chunk, Columns, SamplingParams
from june_tts.fish.tokenizer import Tokenizer
from june_tts.fish.transformer import Model

POSITIONS = 1024
BATCHES = (1, 8, 16)
NEVER = 1 << 19
TEXT = "The ferry leaves at seven, and the road to the harbour is closed."
GOALS = {
    "bfloat16 x1 / reference": 12.0,
    "int8 x1 / bfloat16 x1": 1.4,
    "int4 x1 / bfloat16 x1": 2.0,
    "bfloat16 x8 / bfloat16 x1": 5.0,
    "bfloat16 x16 / bfloat16 x1": 8.0,
}
"""Frames a second of all streams, over frames a second."""

Measure = Callable[[], float]
"""Frames a second of a few steps."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("bench/results/fish_cpu.json"))
    parser.add_argument("--size", choices=SIZES, default="s1-mini")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="of each contender in each round")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = write_checkpoint(Path(scratch), given.size, seed=0)
        rounds = _in_turns(_contenders(checkpoint, given.steps), given.rounds)
    found = _summary(rounds)
    given.out.write_text(json.dumps(found, indent=1) + "\n")
    sys.stdout.write(json.dumps(found["ratios"], indent=1) + "\n")


def _contenders(checkpoint: Path, steps: int) -> dict[str, Measure]:
    prompt = build(Tokenizer.read(checkpoint), TEXT).columns
    found: dict[str, Measure] = {}
    for dtype in (torch.bfloat16, torch.float32):
        peer = Peer(checkpoint, dtype, prompt)
        found[f"fish-speech {str(dtype).removeprefix('torch.')}"] = _of_peer(peer)
    bfloat16 = load_model(checkpoint, "bfloat16")
    for batch in BATCHES:
        found[f"bfloat16 x{batch}"] = _of_ours(bfloat16, checkpoint, prompt, batch, steps)
    for precision in ("int8", "int4"):
        model = load_model(checkpoint, precision)
        found[f"{precision} x1"] = _of_ours(model, checkpoint, prompt, 1, steps)
    return found


def _of_peer(peer: Peer) -> Measure:
    """Two frames are enough: one takes seconds."""
    return lambda: 1 / peer.seconds_per_frame(2)


def _of_ours(model: Model, checkpoint: Path, prompt: Columns, batch: int, steps: int) -> Measure:
    tokens = special_tokens(Tokenizer.read(checkpoint))
    runner = TorchRunner(model, tokens, slots=batch, positions=POSITIONS)
    for slot in range(batch):
        runner.open(slot, SamplingParams(seed=slot, min_frames=NEVER, max_frames=NEVER))
        runner.step([Chunk(slot, prompt, 0, last=True)], [])

    def measure() -> float:
        runner.step([], range(batch))  # the caches hold another contender's weights
        began = time.perf_counter()
        for _ in range(steps):
            runner.step([], range(batch))
        return batch * steps / (time.perf_counter() - began)

    return measure


def _in_turns(contenders: dict[str, Measure], rounds: int) -> dict[str, list[float]]:
    made: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, measure in contenders.items():
            made[name].append(round(measure(), 3))
        sys.stderr.write(f"round {number + 1} of {rounds}\n")
    return made


def _summary(rounds: dict[str, list[float]]) -> dict[str, Any]:
    median = {name: statistics.median(made) for name, made in rounds.items()}
    # the better of its two types, over all rounds
    best = max((name for name in rounds if name.startswith("fish-speech")), key=lambda name: median[name])
    ratios = {}
    for name, least in GOALS.items():
        one, _, other = name.partition(" / ")
        pairs = zip(rounds[one], rounds[best if other == "reference" else other], strict=True)
        every = [round(ours / theirs, 2) for ours, theirs in pairs]
        ratio = statistics.median(every)
        ratios[name] = {"ratio": ratio, "rounds": every, "expected": least, "kept": ratio >= least}
    return {
        "torch": torch.__version__,
        "reference": best,
        "threads": torch.get_num_threads(),
        "frames_per_s": {name: round(value, 2) for name, value in median.items()},
        "ratios": ratios,
        "rounds": rounds,
    }


if __name__ == "__main__":
    main()
