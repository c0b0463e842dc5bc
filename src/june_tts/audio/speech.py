"""Where the speech is in a recording, and whether it is speech at all: energy and pitch, frame by frame.

Speech is told from other sounds by three figures, each of which some other sound fails: its level moves
(silence, hum, noise and a held tone are steady), many of its frames have a pitch (noise and clicks have
none), and that pitch glides from frame to frame (beeps and the notes of instruments stay where they are).
"""

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from june_tts.types import Samples

RATE = 16_000
"""Hz: everything is measured at one rate, so that the limits mean the same for every recording."""
FRAME = 640
"""Samples, 40 ms: two periods of the lowest pitch."""
HOP = 160
"""Samples, 10 ms."""
LOWEST_HZ, HIGHEST_HZ = 60, 400
"""Pitch of voices, from a low man's to a child's."""
HIGH_PASS_HZ = 50
LOW_PASS_HZ = 2000
"""Pitch is looked for between these."""

SILENT_DBFS = -70.0
"""A frame below is silence, however quiet the rest."""
ABOVE_NOISE_DB = 4.5
"""A frame this much above the noise floor is active."""
BELOW_SPEECH_DB = 35.0
"""A frame this much below the loudest is never active: reverberation and breath."""
NOISE_PERCENTILE, LOUD_PERCENTILE = 10, 95
VOICED = 0.6
"""Normalised autocorrelation of a frame that has a pitch; white noise stays below 0.4."""
SHORTEST_ACTIVE = 7
"""Frames: a click is in FRAME / HOP = 4 of them, and a little more once it is resampled."""
MARGIN_SECONDS = 0.1
"""Kept around the speech when silence is trimmed."""
CLEAN_DB = 60.0
"""The signal-to-noise ratio is not estimated above this: pauses may be digital silence."""

FFT = 1024
"""At least a frame and the longest lag together, so that the correlation does not wrap around."""
BLOCK = 512
"""Frames analysed at a time, which keeps a minute's analysis within 30 MB."""
WINDOW = np.hanning(FRAME)

Floats = NDArray[np.float64]
Frames = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Heard:
    """What the frames of a recording say."""

    start: float
    """Seconds where active sound begins, with its margin."""
    end: float
    """Seconds where it ends."""
    level_dbfs: float
    """Mean power of the active frames."""
    snr_db: float
    """Active frames against the quietest tenth of all frames, at most CLEAN_DB."""
    dynamics_db: float
    """Between the loud and the quiet frames."""
    active_seconds: float
    voiced_share: float
    """Of the active frames."""
    pitch_motion: float
    """Median change of pitch between neighbouring voiced frames, as a share of it."""


def listen(samples: Samples, sample_rate: int) -> Heard:
    """Measure a recording of mono samples, shape (n,); about 7 ms of work for each second."""
    frames = _frames(samples, sample_rate)
    power = np.maximum(np.mean(frames.astype(np.float64) ** 2, axis=1), 1e-12)
    level = 10 * np.log10(power)
    quiet, loud = np.percentile(level, [NOISE_PERCENTILE, LOUD_PERCENTILE])
    limit = max(min(quiet + ABOVE_NOISE_DB, loud - 3), loud - BELOW_SPEECH_DB, SILENT_DBFS)
    active = _without_clicks(level > limit)
    where = np.flatnonzero(active)
    if not where.size:
        return Heard(0, 0, float(loud), 0, float(loud - quiet), 0, 0, 0)
    strength, pitch = _pitch(frames)
    voiced = active & (strength > VOICED)
    noise = float(power[level <= quiet].mean())
    speech = float(power[active].mean())
    return Heard(
        start=max(0.0, float(where[0]) * HOP / RATE - MARGIN_SECONDS),
        end=min(samples.size / sample_rate, (float(where[-1]) * HOP + FRAME) / RATE + MARGIN_SECONDS),
        level_dbfs=10 * float(np.log10(speech)),
        snr_db=min(CLEAN_DB, 10 * float(np.log10(max(speech - noise, 1e-12) / noise))),
        dynamics_db=float(loud - quiet),
        active_seconds=where.size * HOP / RATE,
        voiced_share=float(voiced.sum() / where.size),
        pitch_motion=_motion(voiced, pitch),
    )


def _frames(samples: Samples, sample_rate: int) -> Frames:
    """Overlapping frames at RATE without their mean, shape (frames, FRAME)."""
    if sample_rate != RATE:
        samples = soxr.resample(samples, sample_rate, RATE)
    padded = np.pad(samples, (0, max(0, FRAME - samples.size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    centred: Frames = frames - frames.mean(axis=1, keepdims=True, dtype=np.float32)
    return centred


def _without_clicks(active: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Only the runs of at least SHORTEST_ACTIVE frames."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], active.view(np.int8), [0]))))
    kept = np.zeros_like(active)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        kept[start:end] = end - start >= SHORTEST_ACTIVE
    return kept


def _pitch(frames: Frames) -> tuple[Floats, Floats]:
    """Strength, 0 .. 1, and frequency in Hz of each frame's pitch, by autocorrelation of the low band."""
    lags = np.concatenate([_lags(frames[at : at + BLOCK]) for at in range(0, len(frames), BLOCK)])
    low, high = RATE // HIGHEST_HZ, RATE // LOWEST_HZ + 1
    best = low + np.argmax(lags[:, low:high], axis=1)
    rows = np.arange(len(frames))
    before, at, after = lags[rows, best - 1], lags[rows, best], lags[rows, best + 1]
    # a parabola through three lags: pitch moves by less than one lag from frame to frame
    curve = np.minimum(before - 2 * at + after, -1e-9)
    shift = np.clip(0.5 * (before - after) / curve, -1, 1)
    return np.minimum(at, 1), RATE / (best + shift)


def _lags(frames: Frames) -> Floats:
    """Normalised autocorrelation up to the longest lag and one more, shape (frames, lags)."""
    count = RATE // LOWEST_HZ + 2
    spectrum = np.fft.rfft(frames * WINDOW, FFT)
    hertz = np.fft.rfftfreq(FFT, 1 / RATE)
    spectrum[:, (hertz < HIGH_PASS_HZ) | (hertz > LOW_PASS_HZ)] = 0
    lags = np.fft.irfft(np.abs(spectrum) ** 2)[:, :count]
    # the window's own autocorrelation makes long lags look weak (Boersma 1993)
    shape = np.fft.irfft(np.abs(np.fft.rfft(WINDOW, FFT)) ** 2)[:count]
    normalised: Floats = lags / np.maximum(lags[:, :1], 1e-12) / (shape / shape[0])
    return normalised


def _motion(voiced: NDArray[np.bool_], pitch: Floats) -> float:
    """Jumps by more than a tenth are errors of an octave, or another note, and do not count."""
    change = np.abs(np.diff(np.log(pitch)))[voiced[1:] & voiced[:-1]]
    change = change[change < 0.1]
    return float(np.median(change)) if change.size else 0.0
