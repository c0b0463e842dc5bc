"""One loaded Piper voice: text to audio, heard from its first frames on."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from june_tts.engine.loudness import amplified, gain_for
from june_tts.engine.marks import Marks
from june_tts.engine.onnx import Run, open_session
from june_tts.engine.phonemes import PiperPhonemes
from june_tts.engine.piper_split import Reach, Sessions, decode, measure, open_halves, split, stretches
from june_tts.engine.schedule import Listening, Ticket
from june_tts.errors import ModelUnavailable
from june_tts.models.files import PiperFiles
from june_tts.types import Samples

FIRST_STRETCH_SECONDS = 0.35
"""Of audio, decoded first: short, for an early start, and long enough to cover the next stretch's run."""
SHORT_SENTENCE_SECONDS = 1.6
"""Of audio, decoded whole: a cut would bring its first word 15 ms sooner, for a tenth more work."""
MOST_STRETCH_SECONDS = 3.0
"""A longer run would keep a stream that starts waiting."""
MOST_ALONE_SECONDS = 8.0
"""Where no other stream runs, there is a free lane for one that starts."""
AHEAD_SHARE = 4.0
"""A stretch may last this many times what the listener still has to hear: eight streams at once still make it
in half the time that the listener has, and every cut costs 22 frames of overlap."""


class PiperModel:
    """Not thread safe to load, safe to speak from several threads at once."""

    def __init__(self, files: PiperFiles, *, threads: int) -> None:
        """Load; takes a second or two.

        Raises:
            ModelUnavailable: the files are damaged.
        """
        self.files = files
        try:
            self._config: dict[str, Any] = json.loads(files.config.read_bytes())
            self._phonemes = PiperPhonemes(self._config, files.model.parent)
            halves = split(files.model)
            self._wide = open_halves(halves, threads=threads) if halves else None
            self._feed_names = halves.feeds if halves else ()
            self._reach = measure(self._wide, self._feed_names) if self._wide else None
        except ModelUnavailable:
            raise
        except Exception as bad:
            raise ModelUnavailable(f"{files.model.name}: not a usable Piper voice ({bad})") from bad
        self._gain = 1.0
        self._narrow = self._wide
        self._to_narrow = halves if self._reach else None
        self._whole = None
        if self._reach is None:
            self._whole = open_session(files.model, threads=threads, name=files.model.name)

    def calibrate(self, sentence: str) -> None:
        """Find the voice's gain from one sentence, spoken without noise so that it is the same every time."""
        ticket = Ticket(iter(()), Listening(self.files.sample_rate, time.monotonic()))
        parts = self.speak(sentence, Run(), ticket, lambda: True, temperature=0.0)
        self._gain = gain_for(np.concatenate([part for part in parts if part is not None]))

    def load_narrow(self) -> None:
        """Load again for runs of one thread, which are used from then on while several streams run.

        Two streams side by side on a thread each make a sixth more audio than one after the other on two.
        """
        if self._to_narrow is not None:
            self._narrow = open_halves(self._to_narrow, threads=1)
            self._to_narrow = None  # 60 MB

    def speak(
        self,
        text: str,
        run: Run,
        ticket: Ticket,
        alone: Callable[[], bool],
        *,
        speed: float = 1.0,
        temperature: float | None = None,
        speaker: int = 0,
    ) -> Iterator[Samples | None]:
        """Audio of a piece, a stretch at a time. `temperature` scales the latent's noise (0 .. 2)."""
        marks = Marks(text)
        for sentence in self._phonemes.sentences(text):
            feeds = self._feeds(sentence.ids, speed, temperature, speaker)
            if self._reach is None:
                yield amplified(run(self._whole, feeds)[0].ravel(), self._gain)
                continue
            outputs = run(self._sessions(alone).encoder, feeds)
            latent, frames = outputs[: len(self._feed_names)], outputs[len(self._feed_names) :]
            if frames and sentence.words:
                ticket.marks += marks.of(sentence.words, frames[0].ravel() * self._reach.hop)
            yield None
            yield from self._by_stretches(latent, self._reach, run, ticket, alone)

    def _by_stretches(
        self, latent: list[Any], reach: Reach, run: Run, ticket: Ticket, alone: Callable[[], bool]
    ) -> Iterator[Samples | None]:
        for stretch in stretches(latent[0].shape[2], self._lengths(latent[0].shape[2], ticket, reach, alone)):
            sound = decode(self._sessions(alone).decoder, self._feed_names, reach, run, latent, stretch)
            yield amplified(sound, self._gain)

    def _sessions(self, alone: Callable[[], bool]) -> Sessions:
        sessions = self._wide if alone() else self._narrow
        if sessions is None:
            raise ModelUnavailable(f"{self.files.model.name} is not loaded")
        return sessions

    def _feeds(self, ids: list[int], speed: float, temperature: float | None, speaker: int) -> dict[str, Any]:
        inference = self._config.get("inference", {})
        noise = inference.get("noise_scale", 0.667) if temperature is None else temperature
        length = inference.get("length_scale", 1.0) / speed
        feeds: dict[str, Any] = {
            "input": np.array([ids], dtype=np.int64),
            "input_lengths": np.array([len(ids)], dtype=np.int64),
            "scales": np.array([noise, length, inference.get("noise_w", 0.8)], dtype=np.float32),
        }
        if self.files.num_speakers > 1:
            feeds["sid"] = np.array([speaker], dtype=np.int64)
        return feeds

    def _lengths(self, total: int, ticket: Ticket, reach: Reach, alone: Callable[[], bool]) -> Iterator[int]:
        """Frames of each next stretch: few while the listener waits, more the further it is behind us."""
        rate = self.files.sample_rate / reach.hop
        if total <= SHORT_SENTENCE_SECONDS * rate:
            yield total
        while True:
            seconds = FIRST_STRETCH_SECONDS
            if ticket.stream.first_audio_at is not None:
                most = MOST_ALONE_SECONDS if alone() else MOST_STRETCH_SECONDS
                ahead = ticket.deadline - time.monotonic()
                seconds = min(max(ahead * AHEAD_SHARE, seconds), most)
            yield max(1, round(seconds * rate))
