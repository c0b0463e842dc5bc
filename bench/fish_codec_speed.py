"""Our codec and the reference's on one file, in turns in one process, so that a busy machine slows both.

    python -m bench.fish_codec_speed CODEC.pth --frames 43 --threads 2 --rounds 5

The file is one of bench/fish_codec_file.py at full size; fish-speech 0.1.0 must be installed. Prints the
median and the best wall-clock seconds of each, and how many times as fast as the reference's better dtype
ours is.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.fish_codec_reference import ReferenceCodec

from june_tts.fish.codec import Codec
from june_tts.fish.sequence import Codes

Run = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("codec", type=Path)
    parser.add_argument("--frames", type=int, default=43)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    given: Any = parser.parse_args()
    torch.set_num_threads(given.threads)
    runs, error = _runs(given.codec, _codes(given.frames))
    seconds = _in_turns(runs, given.rounds)
    best = {name: min(taken) for name, taken in seconds.items()}
    reference = min(best["reference float32"], best["reference autocast bfloat16"])
    report = {
        "frames": given.frames,
        "threads": given.threads,
        "best_s": best,
        "median_s": {name: statistics.median(taken) for name, taken in seconds.items()},
        "times_as_fast": {name: reference / best[name] for name in best},
        "largest_error": error,
    }
    sys.stdout.write(json.dumps(report, indent=1) + "\n")


def _runs(path: Path, codes: Codes) -> tuple[dict[str, Run], dict[str, float]]:
    reference = ReferenceCodec(path)
    exact = reference.decode(codes)
    runs: dict[str, Run] = {
        "reference float32": lambda: reference.decode(codes),
        "reference autocast bfloat16": lambda: reference.decode_autocast(codes),
    }
    error = {"reference autocast bfloat16": float(abs(reference.decode_autocast(codes) - exact).max())}
    for dtype in (torch.float32, torch.bfloat16):
        name = f"ours {str(dtype).removeprefix('torch.')}"
        codec = Codec(path, dtype=dtype)
        runs[name] = _decoding(codec, codes)
        error[name] = float(abs(codec.decode([codec.stream()], [codes])[0] - exact).max())
    return runs, error


def _decoding(codec: Codec, codes: Codes) -> Run:
    return lambda: codec.decode([codec.stream()], [codes])[0]


def _in_turns(runs: dict[str, Run], rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):  # the first, in which kernels are made, is not counted
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            if number:
                seconds[name].append(time.perf_counter() - begin)
    return seconds


def _codes(frames: int) -> Codes:
    drawn = np.random.default_rng(0).integers(0, 1024, (10, frames), dtype=np.int32)
    drawn[0] *= 4
    return drawn


if __name__ == "__main__":
    main()
