"""Pieces of synthetic speech joined into one utterance, with natural pauses and no click."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from june_tts.types import Pause, Samples

QUIET = 10 ** (-50 / 20)
"""Samples below this magnitude (-50 dBFS) are silence. The built-in voices rest at -70 dBFS or less."""
LEAD_MS = 15
"""Silence kept before a piece's first loud sample: soft onsets (h, f) begin below the threshold."""
FIRST_LEAD_MS = 5
"""The same before an utterance's first sample, where every millisecond is one that somebody waits."""
TAIL_MS = 20
"""Silence kept after a piece's last loud sample, for the end of its decay."""
FADE_MS = 5
"""Of the raised cosine at both ends of a piece; also the delay of everything that passes."""
LONGEST_PAUSE_MS = 800
"""A longer silence inside a piece is shortened to this, which bounds what is held back."""
END_MS = 200
"""Silence after the last piece. Voice agents send one sentence a request and play them back to back: this is
the pause between two. It is also what players that stop on the last sample may cut off."""

PAUSE_MS: Mapping[Pause, int] = {"none": 0, "clause": 120, "sentence": 300, "paragraph": 550}
"""Inserted between two pieces at speed 1, beside the TAIL_MS and LEAD_MS that the pieces keep."""


@dataclass(slots=True)
class _Run:
    """A stretch of a piece that is heard without a gap. All in samples."""

    start: int
    """Where it begins in the piece, as it was fed."""
    heard: int
    """Where it begins in the utterance, as it is heard."""
    stop: int | None = None
    """Where it ends in the piece; None while it goes on."""


class Seams:
    """Joins one utterance's pieces. Any chunking of a piece gives the same samples.

    The silence around each piece is trimmed and replaced by its pause. Loud samples pass after FADE_MS;
    only a quiet run is held back, since it may turn out to be the piece's end. Not thread-safe.
    """

    def __init__(self, sample_rate: int, speed: float = 1.0) -> None:
        """`speed` shortens the pauses by the same factor as the speech; more than 0."""
        self._rate = sample_rate
        self._speed = speed
        self._lead = self._count(LEAD_MS)
        self._first_lead = self._count(FIRST_LEAD_MS)
        self._tail = self._count(TAIL_MS)
        self._fade = _rise(self._count(FADE_MS))
        self._longest = self._count(LONGEST_PAUSE_MS)
        self._gap = 0
        """Samples of silence owed before the next loud sample of this piece."""
        self._silence: int | None = None
        """Samples of silence given since the last piece that spoke; None before the first one."""
        self._held: Samples = np.zeros(0, np.float32)
        self._fed = 0
        """Samples of this piece so far."""
        self._given = 0
        """Samples of the utterance so far."""
        self._runs: list[_Run] = []
        """Of this piece; of the one that has ended until the next one begins."""
        self._over = False
        self._start_over()

    @property
    def held(self) -> int:
        """Samples held back now: at most LONGEST_PAUSE_MS of them."""
        return int(self._held.size)

    def feed(self, samples: Samples) -> Samples:
        """More of the current piece, shape (n,), to what may be heard now."""
        out: list[Samples] = []
        if self._over:
            self._fed, self._runs, self._over = 0, [], False
        self._fed += samples.size
        while samples.size:
            samples = self._speak(samples, out) if self._speaking else self._wait(samples, out)
        return _join(out)

    def heard_at(self, sample: int, *, onset: bool = False) -> int | None:
        """Where a sample of the current piece, or of the one just ended, is heard in the utterance.

        What was trimmed is heard at the edge of what was kept: the one before it, or with `onset` the one
        after it. None while it has not been given, or where the piece had no sound.
        """
        for run, following in zip(self._runs, [*self._runs[1:], None], strict=False):
            reached = run.heard + max(0, sample - run.start)
            if run.stop is None:
                return reached if reached <= self._given else None
            if sample <= run.stop:
                return reached
            if following is None and not self._over and (onset or sample >= self._fed - self._held.size):
                return None
            if following is None or not (onset or sample >= following.start):
                return run.heard + run.stop - run.start
        return None

    def end_piece(self, pause: Pause, last: bool = False) -> Samples:
        """The end of the current piece and the pause after it; a piece of mere silence adds no second one.

        After the last piece the pause is END_MS of silence, whatever `pause` is.
        """
        out: list[Samples] = []
        if self._speaking:
            self._cut(self._held[: self._held.size - self._quiet + self._tail], out)
        self._gap = 0
        self._over = True
        self._start_over()
        self._rest(self._count(END_MS) if last else self._count(PAUSE_MS[pause] / self._speed), out)
        return _join(out)

    def _wait(self, samples: Samples, out: list[Samples]) -> Samples:
        """Before the first loud sample: drop silence, keep what may be the onset."""
        run = np.concatenate((self._held, samples))
        loud = np.flatnonzero(np.abs(run) > QUIET)
        lead = self._first_lead if self._silence is None else self._lead
        start = max(0, (loud[0] if loud.size else run.size) - lead)
        if not loud.size:
            self._held = run[start:]
            return run[:0]
        if self._gap:
            self._give(np.zeros(self._gap, np.float32), out)
        # whatever is held or handed on is the end of what was fed
        self._runs.append(_Run(int(self._fed - (run.size - start)), self._given))
        self._held, self._quiet, self._faded = run[:0], 0, 0
        self._speaking, self._silence = True, 0
        return run[start:]

    def _speak(self, samples: Samples, out: list[Samples]) -> Samples:
        """After the first loud sample: pass all but the quiet run at the end."""
        run = np.concatenate((self._held, self._fade_in(samples)))
        edges = np.concatenate(([-1], np.flatnonzero(np.abs(run) > QUIET), [run.size]))
        too_long = np.flatnonzero(np.diff(edges) - 1 > self._longest)
        if too_long.size:
            end = edges[too_long[0]] + 1 + self._tail
            return self._shorten(run, int(end), out)
        self._quiet = int(run.size - 1 - edges[-2])
        keep = max(self._quiet, self._fade.size)
        self._give(run[: max(0, run.size - keep)], out)
        self._held = run[max(0, run.size - keep) :]
        return run[:0]

    def _shorten(self, run: Samples, end: int, out: list[Samples]) -> Samples:
        self._cut(run[:end], out)
        self._start_over()
        self._gap = self._longest - self._tail - self._lead
        return run[end:]

    def _start_over(self) -> None:
        self._held = self._held[:0]
        self._speaking = False
        self._quiet = 0
        self._faded = 0

    def _fade_in(self, samples: Samples) -> Samples:
        rise = self._fade[self._faded :][: samples.size]
        self._faded += rise.size
        return np.concatenate((samples[: rise.size] * rise, samples[rise.size :]))

    def _cut(self, samples: Samples, out: list[Samples]) -> None:
        count = min(self._fade.size, samples.size)
        fall = self._fade[::-1][self._fade.size - count :]
        self._give(
            np.concatenate((samples[: samples.size - count], samples[samples.size - count :] * fall)), out
        )
        run = self._runs[-1]
        run.stop = run.start + self._given - run.heard

    def _give(self, samples: Samples, out: list[Samples]) -> None:
        self._given += samples.size
        out.append(samples)

    def _rest(self, count: int, out: list[Samples]) -> None:
        """Fill up to `count` samples of silence, where anything was spoken before."""
        if self._silence is not None and count > self._silence:
            self._give(np.zeros(count - self._silence, np.float32), out)
            self._silence = count

    def _count(self, milliseconds: float) -> int:
        return round(milliseconds * self._rate / 1000)


def _rise(count: int) -> Samples:
    """A raised cosine from almost 0 to almost 1, shape (count,)."""
    phase = (np.arange(count, dtype=np.float32) + 0.5) / count
    return (0.5 - 0.5 * np.cos(np.pi * phase)).astype(np.float32)


def _join(parts: list[Samples]) -> Samples:
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
