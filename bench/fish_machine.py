"""Everything that is to be known of the Fish engine on one machine, in one run; for a GPU above all.

    python -m bench.fish_machine --out bench/results [--device cuda] [--size s1-mini] [--quick]

Needs torch, numpy, tiktoken and safetensors alone. Writes random weights of the published size, checks the
device against the CPU on a tiny model (and stops if its codes differ), measures all batches and precisions
with the codec included, and profiles a step: fish_<device>.json, fish_<device>_profile.txt.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench.fish_checkpoint import SIZES, write_checkpoint
from bench.fish_codec_file import write_codec
from torch.profiler import ProfilerActivity, profile

from june_tts.fish.bench import BenchOptions, measure
from june_tts.fish.build import load_model
from june_tts.fish.offline import Offline, special_tokens
from june_tts.fish.prompt import build
from june_tts.fish.runner import TorchRunner
from june_tts.fish.sequence import Chunk, SamplingParams
from june_tts.fish.tokenizer import Tokenizer

BATCHES = {"cpu": (1, 8, 16), "cuda": (1, 2, 4, 8, 16, 32, 64)}
VOICE_FRAMES = 431
"""20 s of a voice in the prompt."""
GOALS = {("cuda", 1): 400.0, ("cuda", 64): 10_000.0}
"""Frames a second in bfloat16 that an H100 is expected to make at least."""


def main() -> None:
    given = _arguments()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    with tempfile.TemporaryDirectory() as scratch:
        found = _everything(given, Path(scratch))
    path = given.out / f"fish_machine_{given.device}.json"
    path.write_text(json.dumps(found, indent=1) + "\n")
    _tell(f"{path}: {json.dumps(found['goals'])}")


def _everything(given: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    checked = _same_codes(scratch / "tiny", given.device)
    checkpoint = write_checkpoint(scratch / "model", given.size, seed=0)
    codec = scratch / "codec.pth"
    write_codec(codec, size="full" if given.size == "s1-mini" else "tiny")
    given.out.mkdir(parents=True, exist_ok=True)
    runs: dict[str, Any] = {}
    for name, chosen in _variants(given).items():
        _tell(name)
        options = BenchOptions(
            checkpoint,
            batches=BATCHES[given.device][: 2 if given.quick else None],
            frames=given.frames,
            prompt_frames=VOICE_FRAMES,
            device=given.device,
            codec=codec,
        )
        runs[name] = measure(replace(options, **chosen), _tell)
    (given.out / f"fish_machine_{given.device}_profile.txt").write_text(_profile(checkpoint, given.device))
    return {
        "size": given.size,
        "same_codes_as_cpu": checked,
        "goals": _goals(given.device, runs),
        "runs": runs,
    }


def _variants(given: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """What is measured, by name, and the options that make it."""
    found: dict[str, dict[str, Any]] = {"bfloat16": {}, "bfloat16 semantic only": {"semantic_only": True}}
    if given.device == "cuda":
        found["bfloat16 compiled"] = {"compile": True}
    if not given.quick:
        found |= {"int8": {"precision": "int8"}, "int4": {"precision": "int4"}}
    return found


def _same_codes(folder: Path, device: str) -> dict[str, bool]:
    """Codes on the device, in float32, beside those on the CPU. Raises SystemExit where they differ."""
    write_checkpoint(folder, seed=6)
    texts = ["The first of them.", "A second, which is somewhat longer than the first."]
    same = {}
    for params in (SamplingParams(greedy=True, max_frames=100), SamplingParams(seed=3, max_frames=100)):
        expected = Offline(folder, "float32").codes(texts, params)
        found = Offline(folder, "float32", device).codes(texts, params)
        pairs = zip(found, expected, strict=True)
        same["greedy" if params.greedy else "drawn"] = all(np.array_equal(a, b) for (a, _), (b, _) in pairs)
    if not all(same.values()):
        raise SystemExit(f"the codes on {device} are not those on the CPU: {same}")
    return same


def _goals(device: str, runs: dict[str, Any]) -> dict[str, Any]:
    """What was reached of `GOALS`, and the time to first audio at batch 1 in milliseconds."""
    return {
        name: _reached(device, {run["batch"]: run for run in found["runs"]})
        for name, found in runs.items()
        if name.startswith("bfloat16")
    }


def _reached(device: str, made: dict[int, Any]) -> dict[str, Any]:
    reached = {
        f"batch {batch}": {"frames_per_s": made[batch]["frames_per_s"], "expected": least}
        for (kind, batch), least in GOALS.items()
        if kind == device and batch in made
    }
    return {**reached, "first_audio_ms": made[1]["ttfa_ms"]}


def _profile(checkpoint: Path, device: str) -> str:
    """Where the time of a decode step goes, batch 1 and the largest."""
    model, tokenizer = load_model(checkpoint, "bfloat16", device=device), Tokenizer.read(checkpoint)
    prompt = build(tokenizer, "A sentence to begin with.").columns
    parts = []
    for batch in (1, BATCHES[device][-1]):
        runner = TorchRunner(model, special_tokens(tokenizer), slots=batch, positions=512)
        for slot in range(batch):
            runner.open(slot, SamplingParams(seed=slot, min_frames=100, max_frames=100))
            runner.step([Chunk(slot, prompt, 0, last=True)], [])
        for _ in range(3):
            runner.step([], range(batch))
        kinds = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device != "cpu" else [])
        with profile(activities=kinds) as taken:
            for _ in range(5):
                runner.step([], range(batch))
        order = "self_cpu_time_total" if device == "cpu" else "self_device_time_total"
        parts.append(f"batch {batch}, 5 steps\n{taken.key_averages().table(sort_by=order, row_limit=25)}")
    return "\n".join(parts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("bench/results"))
    parser.add_argument("--device", choices=BATCHES, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--size", choices=SIZES, default="s1-mini")
    parser.add_argument("--frames", type=int, default=50, help="steps that are timed")
    parser.add_argument("--quick", action="store_true", help="bfloat16 and the two smallest batches alone")
    return parser.parse_args()


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
