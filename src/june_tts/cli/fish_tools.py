"""`june-tts fish codes`, `vocode`, `encode`, `bench`: the parts of the Fish engine by hand."""

import wave
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from june_tts.audio.decode import decode
from june_tts.audio.pcm import to_int16
from june_tts.audio.resample import Resampler
from june_tts.cli.output import note, show_json
from june_tts.errors import InvalidRequest, ModelUnavailable
from june_tts.fish.sequence import Codes, SamplingParams
from june_tts.types import Samples

MOST_CODE_BYTES = 64 << 20
MOST_TEXT_BYTES = 1 << 20
MOST_RECORDING_BYTES = 256 << 20
MOST_SECONDS = 600.0

Checkpoint = Annotated[Path, typer.Argument(help="Folder with config.json, the weights and the tokeniser.")]
CodecFile = Annotated[Path, typer.Argument(help="The codec's file, codec.pth.")]
Dtype = Annotated[str, typer.Option(help="float32, bfloat16, float16, int8 or int4.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]
Invariant = Annotated[
    bool,
    typer.Option("--batch-invariant", help="Codes that no other request in the batch changes, in any dtype."),
]
Compile = Annotated[
    bool, typer.Option("--compile", help="Have torch write kernels for what is between the products.")
]


def codes(
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Option(help="File of numpy's format; a folder with --text-file.")],
    text: Annotated[str | None, typer.Option(help="What to say.")] = None,
    text_file: Annotated[
        Path | None, typer.Option(help="One text a line, all in one batch: OUT/0.npy, OUT/1.npy, …")
    ] = None,
    reference_codes: Annotated[Path | None, typer.Option(help="Codes (10, frames) of the voice.")] = None,
    reference_text: Annotated[str | None, typer.Option(help="What is said in them.")] = None,
    greedy: Annotated[bool, typer.Option("--greedy", help="Always the likeliest code.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed and text give the same codes.")] = 0,
    temperature: Annotated[float, typer.Option(help="Above 0, at most 2.")] = 0.8,
    top_p: Annotated[float, typer.Option(help="Above 0, at most 1.")] = 0.8,
    top_k: Annotated[int, typer.Option(help="Candidates at most; 0 for no limit.")] = 0,
    repetition_penalty: Annotated[float, typer.Option(help="Above 0, at most 2.")] = 1.1,
    repetition_rule: Annotated[
        str,
        typer.Option(help="reference, as fish-speech 0.1.0 has it, or intended, as its authors meant it."),
    ] = "reference",
    semantic_only: Annotated[bool, typer.Option("--semantic-only", help="Never draw a text token.")] = False,
    min_frames: Annotated[int, typer.Option(help="No end before.")] = 0,
    max_frames: Annotated[int, typer.Option(help="Frames of 46.4 ms at most.")] = 1024,
    repeat_guard: Annotated[
        int, typer.Option(help="End after so many equal slow tokens in a row; 0: never.")
    ] = 0,
    dtype: Dtype = "bfloat16",
    device: Device = "cpu",
    batch_invariant: Invariant = False,
    compile: Compile = False,
) -> None:
    """Make codes of texts: integers of shape (10, frames)."""
    from june_tts.fish.prompt import Reference

    texts = _texts(text, text_file)
    if text_file is None:
        _writable(out)
    if (reference_codes is None) != (reference_text is None):
        raise InvalidRequest("--reference-codes and --reference-text are expected together")
    if repetition_rule not in ("reference", "intended"):
        raise InvalidRequest(f"--repetition-rule is {repetition_rule!r}, expected reference or intended")
    params = SamplingParams(
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        repetition_penalty=repetition_penalty,
        repetition_rule="intended" if repetition_rule == "intended" else "reference",
        greedy=greedy,
        seed=seed,
        semantic_only=semantic_only,
        min_frames=min_frames,
        max_frames=max_frames,
        repeat_guard=repeat_guard,
    )
    voice = (
        [Reference(reference_text, read_codes(reference_codes))] if reference_codes and reference_text else []
    )
    engine = _torch("offline").Offline(
        checkpoint, dtype, device, batch_invariant=batch_invariant, compile=compile
    )
    made = engine.codes(texts, params, voice)
    if text_file is None:
        _save(out, made[0][0])
    else:
        out.mkdir(parents=True, exist_ok=True)
        for number, (found, _) in enumerate(made):
            _save(out / f"{number}.npy", found)
    for number, (found, stop) in enumerate(made):
        note(f"{number}: {found.shape[1]} frames, ended by {stop}")


def vocode(
    codec: CodecFile,
    codes: Annotated[Path, typer.Option(help="Codes (10, frames) in numpy's format.")],
    out: Annotated[Path, typer.Option(help="A .wav file, or .npy for the samples as float32.")],
    stream: Annotated[
        int, typer.Option(min=0, help="Frames at a time, with carried state; 0: all at once.")
    ] = 0,
    dtype: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    device: Device = "cpu",
) -> None:
    """Decode codes to sound."""
    _writable(out)
    found = read_codes(codes)
    decoder = _codec(codec, dtype, device)
    step = stream or max(1, found.shape[1])
    state = decoder.stream()
    parts = [
        decoder.decode([state], [found[:, start : start + step]])[0]
        for start in range(0, found.shape[1], step)
    ]
    samples: Samples = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    if out.suffix == ".npy":
        np.save(out, samples)
    else:
        _write_wav(out, samples, decoder.sample_rate)
    note(f"{samples.size / decoder.sample_rate:.2f} s of sound")


def encode(
    codec: CodecFile,
    audio: Annotated[Path, typer.Option(help="A recording, in any format that june-tts reads.")],
    out: Annotated[Path, typer.Option(help="File of numpy's format.")],
    device: Device = "cpu",
) -> None:
    """Encode a recording to codes."""
    _writable(out)
    data = _read(audio, MOST_RECORDING_BYTES)
    encoder = _codec(codec, "float32", device)
    recording = decode(data, max_seconds=MOST_SECONDS)
    resampler = Resampler(recording.sample_rate, encoder.sample_rate)
    samples = np.concatenate([resampler.feed(recording.samples), resampler.finish()])
    found = encoder.encode(samples)
    _save(out, found)
    note(f"{found.shape[1]} frames")


def bench(
    checkpoint: Checkpoint,
    batch: Annotated[str, typer.Option(help="Batch sizes, separated by commas.")] = "1,8,16",
    frames: Annotated[int, typer.Option(help="Steps that are timed.")] = 50,
    prompt_frames: Annotated[int, typer.Option(help="Frames of the voice in the prompt.")] = 215,
    dtype: Dtype = "bfloat16",
    device: Device = "cpu",
    codec: Annotated[Path | None, typer.Option(help="Count its decoding in the time to first audio.")] = None,
    semantic_only: Annotated[bool, typer.Option("--semantic-only", help="Never draw a text token.")] = False,
    batch_invariant: Invariant = False,
    compile: Compile = False,
    reference: Annotated[
        bool,
        typer.Option("--reference", help="The installed fish-speech 0.1.0 on the same checkpoint as well."),
    ] = False,
    threads: Annotated[int, typer.Option(min=0, help="Of a CPU; 0: torch's choice.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure frames a second, step times and time to first audio of a checkpoint."""
    measuring = _torch("bench")
    options = measuring.BenchOptions(
        checkpoint=checkpoint,
        batches=measuring.batch_sizes(batch),
        frames=frames,
        prompt_frames=prompt_frames,
        precision=dtype,
        device=device,
        codec=codec,
        semantic_only=semantic_only,
        batch_invariant=batch_invariant,
        compile=compile,
        reference=reference,
        threads=threads,
    )
    found = measuring.measure(options, note)
    if as_json:
        show_json(found)
        return
    for run in found["runs"]:
        note(" ".join(f"{name} {value}" for name, value in run.items()))
    if found["reference"]:
        note(f"times the reference: {found['reference']['times_the_reference']}")


def read_codes(path: Path) -> Codes:
    """Raises: InvalidRequest: no array of whole numbers, shape (codebooks, frames)."""
    _read(path, MOST_CODE_BYTES)
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as bad:
        raise InvalidRequest(f"{path} cannot be read as an array of numpy: {bad}") from bad
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.dtype.kind not in "iu":
        raise InvalidRequest(f"{path} is expected to hold whole numbers of shape (codebooks, frames)")
    return found.astype(np.int32)


def _texts(text: str | None, file: Path | None) -> list[str]:
    if (text is None) == (file is None):
        raise InvalidRequest("expected one of --text and --text-file")
    if file is None:
        return [text or ""]
    try:
        lines = _read(file, MOST_TEXT_BYTES).decode("utf-8").splitlines()
    except UnicodeDecodeError as bad:
        raise InvalidRequest(
            f"{file} is not UTF-8: byte {bad.start} is {bad.object[bad.start]:#04x}"
        ) from bad
    return [line for line in lines if line.strip()]


def _writable(path: Path) -> None:
    """Before the work, which may take minutes. Raises: InvalidRequest."""
    if not path.absolute().parent.is_dir():
        raise InvalidRequest(f"--out is {path}, but there is no folder {path.absolute().parent}")
    if path.is_dir():
        raise InvalidRequest(f"--out is {path}, a folder: expected the name of a file")


def _read(path: Path, most: int) -> bytes:
    try:
        if path.stat().st_size > most:
            raise InvalidRequest(f"{path} has {path.stat().st_size} bytes, expected at most {most}")
        return path.read_bytes()
    except OSError as bad:
        raise InvalidRequest(f"{path} cannot be read: {bad.strerror}") from bad


def _save(path: Path, found: Codes) -> None:
    with path.open("wb") as file:  # numpy would add .npy to a name of another ending
        np.save(file, found)


def _write_wav(path: Path, samples: Samples, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, samples.size, "NONE", "not compressed"))
        file.writeframes(to_int16(samples).tobytes())


def _codec(path: Path, dtype: str, device: str) -> Any:
    torch = _torch("codec").torch
    if dtype not in ("float32", "bfloat16"):
        raise InvalidRequest(f"--dtype is {dtype!r}, expected float32 or bfloat16")
    return _torch("codec").Codec(path, device=device, dtype=getattr(torch, dtype))


def _torch(module: str) -> Any:
    """A module of the engine that needs torch, which takes seconds to import and need not be installed."""
    from importlib import import_module

    try:
        return import_module(f"june_tts.fish.{module}")
    except ModuleNotFoundError as missing:
        raise ModelUnavailable(
            f"it needs {missing.name}: run `make fish`, or install june-tts with its extra `fish`"
        ) from missing
