"""Cuts a Piper voice in two, so that a sentence can be heard while its end is still being made.

A Piper voice is a VITS model: text encoder, durations and flow give a latent of 256 samples a frame, and a
HiFi-GAN decoder turns the latent into sound. The decoder is two thirds of the work and purely convolutional:
a frame of sound depends on a few latent frames on either side only. So the latent is made once for the
sentence, with the sentence's own prosody, and decoded stretch by stretch with that many frames of overlap;
the samples are those of the whole decode (tested), not a cross-fade.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx.utils import Extractor

from june_tts.engine.onnx import Run, open_session
from june_tts.engine.piper_graph import simplified
from june_tts.types import Samples

DECODER = "/dec/"
"""Name prefix of the decoder's nodes in every exported Piper voice."""
PROBE_FRAMES = 96
"""Long enough for any published decoder's reach on both sides."""
AUDIBLE = 1e-5
"""A change below this, out of full scale 1.0, is rounding and not reach."""


@dataclass(frozen=True, slots=True)
class Halves:
    """A voice's latent model and decoder, as bytes that sessions are opened from.

    `feeds` names the decoder's inputs: the latent (1, channels, frames) first, then what is constant over a
    sentence (the speaker embedding of multi-speaker voices). The encoder makes these, and where `timed` after
    them how many frames each phoneme number lasts, shape (1, 1, numbers).
    """

    name: str
    encoder: bytes
    decoder: bytes
    feeds: tuple[str, ...]
    timed: bool


@dataclass(frozen=True, slots=True)
class Sessions:
    """Both halves, loaded for runs of one number of threads."""

    encoder: ort.InferenceSession
    decoder: ort.InferenceSession


@dataclass(frozen=True, slots=True)
class Reach:
    """How a decoder turns latent frames into samples."""

    hop: int
    """Samples per latent frame."""
    frames: int
    """Latent frames on either side that a sample depends on."""


def split(model: Path) -> Halves | None:
    """Cut a voice in two; None where its graph has no decoder of the known shape."""
    graph = onnx.load(str(model))
    border = _border(graph.graph)
    if not border:
        return None
    inputs = [i.name for i in graph.graph.input]
    outputs = [o.name for o in graph.graph.output][:1]
    cut = Extractor(graph)
    # the one place where the graph rounds: the duration predictor's frames
    frames = [node.output[0] for node in graph.graph.node if node.op_type == "Ceil"]
    timed = frames if len(frames) == 1 else []
    encoder = simplified(cut.extract_model(inputs, [*border, *timed])).SerializeToString()
    decoder = cut.extract_model(list(border), outputs).SerializeToString()
    return Halves(model.name, encoder, decoder, border, bool(timed))


def open_halves(halves: Halves, *, threads: int) -> Sessions:
    """Load both halves; takes a second or two."""
    return Sessions(
        open_session(halves.encoder, threads=threads, name=f"{halves.name} (encoder)"),
        open_session(halves.decoder, threads=threads, name=f"{halves.name} (decoder)"),
    )


def _border(graph: onnx.GraphProto) -> tuple[str, ...]:
    """Tensors that cross into the decoder, the latent first."""
    inside = {o for node in graph.node if node.name.startswith(DECODER) for o in node.output}
    computed = {o for node in graph.node for o in node.output}
    latent = next((n.input[0] for n in graph.node if n.name.startswith(f"{DECODER}conv_pre/")), None)
    if latent is None or graph.output[0].name not in inside | _after(graph, inside):
        return ()
    crossing = (
        name
        for node in graph.node
        if node.name.startswith(DECODER)
        for name in node.input
        if name in computed and name not in inside
    )
    # constants that the exporter keeps outside are found again by the extractor, they need no feed
    rest = [name for name in dict.fromkeys(crossing) if name != latent and not _constant(graph, name)]
    return (latent, *rest)


def _after(graph: onnx.GraphProto, inside: set[str]) -> set[str]:
    """Outputs of the few reshaping nodes between the decoder and the model's output."""
    reached: set[str] = set()
    for node in graph.node:
        if any(name in inside or name in reached for name in node.input):
            reached.update(node.output)
    return reached


def _constant(graph: onnx.GraphProto, name: str) -> bool:
    return any(node.op_type == "Constant" and name in node.output for node in graph.node)


def measure(sessions: Sessions, feeds_names: tuple[str, ...]) -> Reach | None:
    """Find hop and reach by changing one latent frame and seeing which samples change.

    Measured rather than computed: the low, medium and high voices have different decoders. None where the
    decoder is not the convolutional one that can be cut.
    """
    encoder, decoder, border = sessions.encoder, sessions.decoder, feeds_names
    if {i.name for i in decoder.get_inputs()} != set(border):
        return None
    run = Run()
    latent = run(encoder, _any_sentence(encoder))[: len(border)]
    feeds = dict(zip(border, latent, strict=True))
    frames = -(-PROBE_FRAMES // latent[0].shape[2])
    feeds[border[0]] = np.tile(latent[0], (1, 1, frames))[:, :, :PROBE_FRAMES].copy()
    before = run(decoder, feeds)[0].ravel()
    middle = PROBE_FRAMES // 2
    feeds[border[0]][:, :, middle] += 10.0
    changed = np.flatnonzero(np.abs(run(decoder, feeds)[0].ravel() - before) > AUDIBLE)
    hop, rest = divmod(before.size, PROBE_FRAMES)
    if rest or not changed.size:
        return None
    left = middle - changed[0] // hop
    right = changed[-1] // hop - middle
    return Reach(hop, int(max(left, right)) + 1)


def _any_sentence(encoder: ort.InferenceSession) -> dict[str, Any]:
    ids = np.arange(1, 21, dtype=np.int64)[None]
    feeds: dict[str, Any] = {
        "input": ids,
        "input_lengths": np.array([ids.size], dtype=np.int64),
        "scales": np.array([0.667, 1.0, 0.8], dtype=np.float32),
        "sid": np.array([0], dtype=np.int64),
    }
    wanted = {i.name for i in encoder.get_inputs()}
    return {name: value for name, value in feeds.items() if name in wanted}


def stretches(total: int, lengths: Iterator[int]) -> Iterator[tuple[int, int]]:
    """Where each next stretch of `total` frames starts and stops; `lengths` says how long it may be."""
    start = 0
    while start < total:
        stop = min(total, start + next(lengths))
        yield start, stop
        start = stop


def decode(
    decoder: ort.InferenceSession,
    feeds: tuple[str, ...],
    reach: Reach,
    run: Run,
    latent: list[Any],
    stretch: tuple[int, int],
) -> Samples:
    """The samples of one stretch of a sentence's latent, the same as in a decode of the whole."""
    start, stop = stretch
    whole, constants = latent[0], latent[1:]
    left, right = max(0, start - reach.frames), min(whole.shape[2], stop + reach.frames)
    window = np.ascontiguousarray(whole[:, :, left:right])
    sound: Samples = run(decoder, dict(zip(feeds, [window, *constants], strict=True)))[0].ravel()
    return sound[(start - left) * reach.hop : (stop - left) * reach.hop]
