"""Speech faster or slower at the same pitch, as it comes: FFmpeg's atempo, an overlap and add (WSOLA)."""

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from june_tts.types import Samples

LEAST_FACTOR = 0.5
"""Of one atempo filter; slower ones are chained. It takes up to 100 the other way."""


class Tempo:
    """One stream. A factor of 1 passes samples as they are; others delay them by some 50 ms."""

    def __init__(self, sample_rate: int, factor: float) -> None:
        """`factor`: 2.0 is twice as fast; more than 0."""
        self._rate = sample_rate
        self._fed = 0
        self._graph = None if factor == 1.0 else _graph(sample_rate, factor)

    def feed(self, samples: Samples) -> Samples:
        """More, shape (n,), to what can be heard now."""
        if self._graph is None or not samples.size:
            return samples
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="flt", layout="mono")
        frame.sample_rate, frame.pts = self._rate, self._fed
        self._fed += samples.size
        self._graph.push(frame)
        return self._ready()

    def finish(self) -> Samples:
        """What is left. Nothing may be fed after it."""
        if self._graph is None or not self._fed:
            return np.zeros(0, np.float32)
        self._graph.push(None)
        return self._ready()

    def _ready(self) -> Samples:
        return np.concatenate([np.zeros(0, np.float32), *self._pulled()])

    def _pulled(self) -> Iterator[Samples]:
        while self._graph is not None:
            try:
                frame = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            if isinstance(frame, av.AudioFrame):
                yield frame.to_ndarray()[0].astype(np.float32)


def _graph(rate: int, factor: float) -> av.filter.Graph:
    graph = av.filter.Graph()
    # as many as there are cores otherwise, for each stream
    graph.threads = 1
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=Fraction(1, rate))
    stages = [graph.add("atempo", f"{each:.9f}") for each in _stages(factor)]
    # what a filter upstream may have changed is changed back
    stages.append(graph.add("aformat", f"sample_fmts=flt:channel_layouts=mono:sample_rates={rate}"))
    stages.append(graph.add("abuffersink"))
    for before, after in zip([source, *stages], stages, strict=False):
        before.link_to(after)
    graph.configure()
    return graph


def _stages(factor: float) -> list[float]:
    stages = []
    while factor < LEAST_FACTOR:
        stages.append(LEAST_FACTOR)
        factor /= LEAST_FACTOR
    return [*stages, factor]
