"""Measures the model on this machine: `june-tts fish bench`, or `python -m june_tts.fish.bench` where there
is no more than torch, numpy, tiktoken and safetensors."""

import argparse
import gc
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from june_tts.errors import InvalidRequest, JuneError
from june_tts.fish.build import PRECISIONS, Precision, load_model
from june_tts.fish.codec import Codec as DacCodec
from june_tts.fish.events import Frames, LoopConfig, Request
from june_tts.fish.layout import check_checkpoint
from june_tts.fish.loop import FRAME_SECONDS, Loop
from june_tts.fish.offline import special_tokens
from june_tts.fish.peer import measure_peer
from june_tts.fish.prompt import Reference, build
from june_tts.fish.runner import TorchRunner
from june_tts.fish.sequence import Chunk, Codec, Columns, SamplingParams
from june_tts.fish.tokenizer import Tokenizer
from june_tts.fish.transformer import Model

WARM_STEPS = 3
TEXT = "The ferry leaves at seven, and the road to the harbour is closed."
NEVER_ENDS = 1 << 19
"""Frames that a measured stream must not end before."""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    checkpoint: Path
    batches: tuple[int, ...] = (1,)
    frames: int = 50
    prompt_frames: int = 215
    """Of the voice in the prompt: 10 s."""
    precision: Precision = "bfloat16"
    device: str = "cpu"
    codec: Path | None = None
    """Part of the time to first audio where given."""
    semantic_only: bool = False
    batch_invariant: bool = False
    compile: bool = False
    reference: bool = False
    threads: int = 0

    def __post_init__(self) -> None:
        """Raises: InvalidRequest, naming the option."""
        if not self.batches or min(self.batches) < 1:
            raise InvalidRequest(f"batch is {self.batches}, expected whole numbers above 0", param="batch")
        if self.frames < 2:
            raise InvalidRequest(f"frames is {self.frames}, expected at least 2", param="frames")
        if self.prompt_frames < 0:
            raise InvalidRequest(
                f"prompt-frames is {self.prompt_frames}, expected 0 or more", param="prompt-frames"
            )


@dataclass(frozen=True, slots=True)
class BenchRun:
    """One batch size. Times in milliseconds, memory in bytes."""

    batch: int
    dtype: str
    frames_per_s: float
    """Of all streams together."""
    step_ms_p50: float
    step_ms_p95: float
    ttfa_ms: float
    """From the request to its first audio (first codes without a codec), the voice's KV kept; median over the
    streams of a batch that begins at once."""
    rtf: float
    """Of each stream: step time over a frame's 46.4 ms. Below 1 is faster than it is heard."""
    kv_bytes: int
    peak_bytes: int
    """Of the process on a CPU, of torch's memory on a GPU."""


def measure(options: BenchOptions, say: Callable[[str], None]) -> dict[str, Any]:
    """All batch sizes, and the reference beside them: {"runs": […], "reference": {…} | None}."""
    check_checkpoint(options.checkpoint)
    if options.threads:
        torch.set_num_threads(options.threads)
    runs = _ours(options, say)
    gc.collect()  # the model goes before the reference loads its own
    reference = (
        measure_peer(options.checkpoint, options.frames, _prompt(options), say) if options.reference else None
    )
    return {
        "machine": _machine(options.device),
        "options": {
            # not the folders that they lay in
            name: value.name if isinstance(value, Path) else str(value)
            for name, value in asdict(options).items()
        },
        "runs": [asdict(run) for run in runs],
        "reference": reference and _compared(reference, runs),
    }


def _ours(options: BenchOptions, say: Callable[[str], None]) -> list[BenchRun]:
    model = load_model(
        options.checkpoint,
        options.precision,
        device=options.device,
        invariant=options.batch_invariant or None,
        compile=options.compile,
    )
    codec = (
        DacCodec(options.codec, device=options.device, dtype=_sound_type(options)) if options.codec else None
    )
    runs = []
    for batch in options.batches:
        runs.append(_Bench(options, model, codec, batch).run())
        say(f"batch {batch}: {runs[-1].frames_per_s:.1f} frames/s, step {runs[-1].step_ms_p50:.1f} ms")
    return runs


def _sound_type(options: BenchOptions) -> torch.dtype:
    return torch.float32 if options.precision == "float32" else torch.bfloat16


def _prompt(options: BenchOptions) -> Columns:
    return _prompt_of(options, Tokenizer.read(options.checkpoint))[0]


def _prompt_of(options: BenchOptions, tokenizer: Tokenizer) -> tuple[Columns, int]:
    """Columns, and how many of them are the voice."""
    random = np.random.default_rng(0)
    codes = random.integers(0, 1024, (10, options.prompt_frames), dtype=np.int32)
    voice = [Reference(TEXT, codes)] if options.prompt_frames else []
    prompt = build(tokenizer, TEXT, voice)
    return prompt.columns, prompt.prefix


class _Bench:
    """One batch size on a loaded model."""

    def __init__(self, options: BenchOptions, model: Model, codec: DacCodec | None, batch: int) -> None:
        self._options, self._codec, self._batch = options, codec, batch
        tokenizer = Tokenizer.read(options.checkpoint)
        self._columns, self._prefix = _prompt_of(options, tokenizer)
        positions = self._columns.shape[1] + options.frames + WARM_STEPS + 8
        tokens = special_tokens(tokenizer)
        self._runner = TorchRunner(model, tokens, slots=batch, positions=positions)

    def run(self) -> BenchRun:
        if self._options.device != "cpu":
            torch.cuda.reset_peak_memory_stats()
        first = self._first_audio()
        steps = self._steps()
        return BenchRun(
            batch=self._batch,
            dtype=self._options.precision,
            frames_per_s=round(self._batch * len(steps) / sum(steps), 2),
            step_ms_p50=round(1000 * statistics.median(steps), 2),
            step_ms_p95=round(1000 * float(np.percentile(steps, 95)), 2),
            ttfa_ms=round(1000 * first, 1),
            rtf=round(statistics.median(steps) / FRAME_SECONDS, 4),
            kv_bytes=self._runner.kv_bytes,
            peak_bytes=self._peak(),
        )

    def _params(self, seed: int, frames: int) -> SamplingParams:
        """No end before the measurement's."""
        only = self._options.semantic_only
        return SamplingParams(seed=seed, min_frames=frames, max_frames=frames, semantic_only=only)

    def _steps(self) -> list[float]:
        """Seconds of each decode step with the whole batch."""
        slots = range(self._batch)
        for slot in slots:
            self._runner.open(slot, self._params(slot, NEVER_ENDS))
            self._runner.step([Chunk(slot, self._columns, 0, last=True)], [])
        seconds = []
        for _ in range(WARM_STEPS + self._options.frames):
            began = time.perf_counter()
            self._runner.step([], slots)
            seconds.append(time.perf_counter() - began)
        return seconds[WARM_STEPS:]

    def _first_audio(self) -> float:
        """Median seconds to the first `Frames`, after a request that leaves the voice's KV behind."""
        codec = cast("Codec | None", self._codec)  # its streams come from itself alone
        loop = Loop(self._runner, codec, LoopConfig(max_waiting=self._batch, illegal_guard=0))
        self._serve(loop, 1)
        return statistics.median(self._serve(loop, self._batch))

    def _serve(self, loop: Loop, count: int) -> list[float]:
        frames = LoopConfig().first_frames
        heard: dict[str, float] = {}
        began = time.perf_counter()
        for number in range(count):
            loop.submit(Request(str(number), self._columns, self._prefix, self._params(number, frames)))
        while loop.busy:
            for event in loop.turn():
                if isinstance(event, Frames):
                    heard.setdefault(event.id, time.perf_counter() - began)
        return list(heard.values())

    def _peak(self) -> int:
        if self._options.device != "cpu":
            return int(torch.cuda.max_memory_allocated())
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _compared(reference: dict[str, Any], runs: Sequence[BenchRun]) -> dict[str, Any]:
    """The reference's figures with ours over them, for every batch size."""
    best = max((run["frames_per_s"] for run in reference["runs"]), default=0.0)
    ratios = {str(run.batch): round(run.frames_per_s / best, 2) for run in runs} if best else {}
    return {**reference, "best_frames_per_s": best, "times_the_reference": ratios}


def _machine(device: str) -> dict[str, Any]:
    name = torch.cuda.get_device_name(device) if device != "cpu" else "cpu"
    return {"torch": torch.__version__, "device": name, "threads": torch.get_num_threads()}


def main() -> None:
    options = argparse.ArgumentParser(prog="june_tts.fish.bench", description=__doc__)
    options.add_argument("checkpoint", type=Path)
    options.add_argument("--batch", default="1,8,16", help="batch sizes, separated by commas")
    options.add_argument("--frames", type=int, default=50)
    options.add_argument("--prompt-frames", type=int, default=215)
    options.add_argument("--dtype", choices=PRECISIONS, default="bfloat16")
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options.add_argument("--codec", type=Path)
    options.add_argument("--semantic-only", action="store_true")
    options.add_argument("--reference", action="store_true")
    options.add_argument("--threads", type=int, default=0)
    given = options.parse_args()
    try:
        sys.stdout.write(json.dumps(measure(_options(given), _tell), indent=1) + "\n")
    except JuneError as expected:
        sys.exit(f"june_tts.fish.bench: {expected}")


def _options(given: argparse.Namespace) -> BenchOptions:
    return BenchOptions(
        checkpoint=given.checkpoint,
        batches=batch_sizes(given.batch),
        frames=given.frames,
        prompt_frames=given.prompt_frames,
        precision=given.dtype,
        device=given.device,
        codec=given.codec,
        semantic_only=given.semantic_only,
        reference=given.reference,
        threads=given.threads,
    )


def batch_sizes(text: str) -> tuple[int, ...]:
    """ "1,8,16" to (1, 8, 16). Raises: InvalidRequest."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InvalidRequest(f"batch is {text!r}, expected numbers like 1,8,16", param="batch") from None


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    main()
