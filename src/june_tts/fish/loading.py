"""A checkpoint and a codec to an engine that is ready to run. The torch side of the worker."""

from pathlib import Path
from typing import cast

import torch

from june_tts.errors import ModelUnavailable
from june_tts.fish.build import load_model
from june_tts.fish.codec import Codec as DacCodec
from june_tts.fish.frame import SpecialTokens
from june_tts.fish.layout import check_checkpoint
from june_tts.fish.loop import Loop
from june_tts.fish.options import EngineInfo, EngineOptions
from june_tts.fish.runner import TorchRunner
from june_tts.fish.sequence import Codec, Runner
from june_tts.fish.serving import Loaded
from june_tts.fish.tokenizer import Tokenizer


def load_engine(options: EngineOptions) -> Loaded:
    """Raises: ModelUnavailable, naming the file or tensor; InvalidRequest, where the device is not there."""
    if options.threads:
        torch.set_num_threads(options.threads)
    device = _device(options.device)
    runner = _runner(options, device)
    codec = _codec(options, device) if options.codec else None
    if codec is not None and codec.codebooks != runner.codebooks:
        raise ModelUnavailable(
            f"{options.codec} has {codec.codebooks} codebooks, expected the {runner.codebooks} of "
            f"{options.checkpoint}"
        )
    info = EngineInfo(
        device=device,
        precision=options.precision,
        codebooks=runner.codebooks,
        slots=runner.slots,
        positions=runner.positions,
        kv_bytes=runner.kv_bytes,
        sample_rate=codec.sample_rate if codec else 0,
        samples_per_frame=codec.samples_per_frame if codec else 0,
    )
    # the protocols let any prefix and any stream in; the loop hands each back only what came from it
    model, sound = cast(Runner, runner), cast("Codec | None", codec)
    return Loaded(Loop(model, sound, options.loop), sound, runner.codebook_sizes, info, options.window)


def _device(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"


def _runner(options: EngineOptions, device: str) -> TorchRunner:
    folder = Path(options.checkpoint)
    check_checkpoint(folder)
    tokenizer = Tokenizer.read(folder)
    tokens = SpecialTokens(tokenizer.semantic_begin, tokenizer.semantic_end, tokenizer.im_end)
    model = load_model(
        folder,
        options.precision,
        device=device,
        invariant=options.batch_invariant or None,
        compile=options.compile,
    )
    positions = options.positions or model.config.max_positions
    runner = TorchRunner(model, tokens, slots=options.slots, positions=positions)
    if options.compile or device != "cpu":
        # before anybody waits for it, and before the watchdog counts
        runner.warm()
    return runner


def _codec(options: EngineOptions, device: str) -> DacCodec:
    """In 16 bits like the model, as the servers of fish-speech run it, or in float32 like the model."""
    dtype = torch.float32 if options.precision == "float32" else torch.bfloat16
    return DacCodec(Path(options.codec), device=device, dtype=dtype)
