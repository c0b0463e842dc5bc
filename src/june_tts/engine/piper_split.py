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
from june_tts.types import Samples

DECODER = "/dec/"
"""Name prefix of the decoder's nodes in every exported Piper voice."""
PROBE_FRAMES = 96
"""Long enough for any published decoder's reach on both sides."""
AUDIBLE = 1e-5
"""A change below this, out of full scale 1.0, is rounding and not reach."""


@dataclass(frozen=True, slots=True)
class Halves:
    """A voice's latent model and decoder.

    `feeds` names the decoder's inputs: the latent (1, channels, frames) first, then what is constant over a
    sentence (the speaker embedding of multi-speaker voices).
    """

    encoder: ort.InferenceSession
    decoder: ort.InferenceSession
    feeds: tuple[str, ...]
    hop: int
    """Samples per latent frame."""
    reach: int
    """Latent frames on either side that a sample depends on."""


def split(model: Path, *, threads: int) -> Halves | None:
    """Load a voice in two halves; None where its graph has no decoder of the known shape."""
    graph = onnx.load(str(model))
    border = _border(graph.graph)
    if not border:
        return None
    inputs = [i.name for i in graph.graph.input]
    outputs = [o.name for o in graph.graph.output][:1]
    cut = Extractor(graph)
    encoder = cut.extract_model(inputs, list(border)).SerializeToString()
    decoder = cut.extract_model(list(border), outputs).SerializeToString()
    del cut, graph
    front = open_session(encoder, threads=threads, name=f"{model.name} (encoder)")
    back = open_session(decoder, threads=threads, name=f"{model.name} (decoder)")
    return _measured(front, back, border)


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


def _measured(
    encoder: ort.InferenceSession, decoder: ort.InferenceSession, border: tuple[str, ...]
) -> Halves | None:
    """Find hop and reach by changing one latent frame and seeing which samples change.

    Measured rather than computed: the low, medium and high voices have different decoders.
    """
    if {i.name for i in decoder.get_inputs()} != set(border):
        return None
    run = Run()
    latent = run(encoder, _any_sentence(encoder))
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
    return Halves(encoder, decoder, border, hop, int(max(left, right)) + 1)


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


def decode(halves: Halves, run: Run, latent: list[Any], stretches: Iterator[int]) -> Iterator[Samples]:
    """Decode a sentence's latent stretch by stretch; `stretches` gives the frames of each next one."""
    whole, constants = latent[0], latent[1:]
    total = whole.shape[2]
    start = 0
    while start < total:
        stop = min(total, start + next(stretches))
        left, right = max(0, start - halves.reach), min(total, stop + halves.reach)
        window = np.ascontiguousarray(whole[:, :, left:right])
        feeds = dict(zip(halves.feeds, [window, *constants], strict=True))
        sound = run(halves.decoder, feeds)[0].ravel()
        yield sound[(start - left) * halves.hop : (stop - left) * halves.hop]
        start = stop
