"""Whether a recording can be used as a voice, what was heard in it, and how to make a better one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from june_tts.audio.decode import Decoded, decode, refuse
from june_tts.audio.speech import SILENT_DBFS, Heard, listen
from june_tts.types import RecordingReport, Samples

MIN_SECONDS = 3
MAX_SECONDS = 60
"""Of the whole recording; after trimming it must still have MIN_SECONDS."""
MIN_RATE = 16_000
"""Hz."""

BEST_SECONDS = (10, 30)

MIN_DYNAMICS_DB = 8.0
MIN_VOICED_SHARE = 0.25
MIN_PITCH_MOTION = 0.005
"""Speech has more of each; see speech.py. Measured: 10 to 75 dB, 0.5 to 0.9 and 0.007 to 0.017."""
MIN_ACTIVE_SECONDS = 1.0

FULL_SCALE = 0.99
"""Magnitude from which a sample counts as clipped: lossy codecs move the clipped ones a little."""
MAX_CLIPPING = 0.001
"""Share of clipped samples that can be heard."""
LOW_SNR_DB = 20.0
QUIET_DBFS = -40.0
FLOOR_DBFS = -120.0
"""Reported instead of the level of digital silence."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A recording that can be used."""

    report: RecordingReport
    samples: Samples
    """Mono at `sample_rate`, without the silence around the speech."""
    sample_rate: int


def judge(data: bytes) -> Judged:
    """Decode and judge an uploaded recording. Blocks, up to half a second for a minute of audio.

    Raises:
        InvalidRecording: with `param` "file" and a sentence that says what was found and what was expected.
    """
    recording = decode(data, max_seconds=MAX_SECONDS)
    _check_size(recording)
    heard = listen(recording.samples, recording.sample_rate)
    _check_speech(heard)
    rate = recording.sample_rate
    trimmed = recording.samples[round(heard.start * rate) : round(heard.end * rate)]
    return Judged(_report(recording, heard), trimmed, rate)


def _check_size(recording: Decoded) -> None:
    if recording.duration < MIN_SECONDS:
        refuse(f"it lasts {recording.duration:.1f} s: expected {MIN_SECONDS} to {MAX_SECONDS} s")
    if recording.sample_rate < MIN_RATE:
        refuse(f"its sample rate is {recording.sample_rate} Hz: expected at least {MIN_RATE} Hz")


def _check_speech(heard: Heard) -> None:
    if heard.level_dbfs < SILENT_DBFS:
        refuse(f"it is silent ({heard.level_dbfs:.0f} dBFS): expected speech above {SILENT_DBFS:.0f} dBFS")
    missing = next(_no_speech(heard), None)
    if missing is not None:
        refuse(f"no speech was found in it, {missing}: expected one person speaking")
    if heard.end - heard.start < MIN_SECONDS:
        refuse(
            f"only {heard.end - heard.start:.1f} s are left without the silence around the speech: "
            f"expected at least {MIN_SECONDS} s"
        )


def _no_speech(heard: Heard) -> Iterator[str]:
    if heard.dynamics_db < MIN_DYNAMICS_DB:
        yield f"its level hardly moves ({heard.dynamics_db:.1f} of at least {MIN_DYNAMICS_DB:g} dB)"
    if heard.voiced_share < MIN_VOICED_SHARE:
        yield f"it has little pitch ({heard.voiced_share:.0%} of at least {MIN_VOICED_SHARE:.0%} of the time)"
    if heard.pitch_motion < MIN_PITCH_MOTION:
        yield f"its pitch hardly glides ({heard.pitch_motion:.2%} of at least {MIN_PITCH_MOTION:.1%})"
    if heard.active_seconds < MIN_ACTIVE_SECONDS:
        yield f"it has {heard.active_seconds:.1f} s of sound of at least {MIN_ACTIVE_SECONDS:g} s"


def _report(recording: Decoded, heard: Heard) -> RecordingReport:
    magnitude = np.abs(recording.samples)
    clipping = float(np.mean(magnitude >= FULL_SCALE))
    peak = max(FLOOR_DBFS, 20 * float(np.log10(max(float(magnitude.max()), 1e-6))))
    return RecordingReport(
        format=recording.format,
        sample_rate=recording.sample_rate,
        channels=recording.channels,
        duration=recording.duration,
        speech_duration=heard.end - heard.start,
        peak_dbfs=peak,
        level_dbfs=heard.level_dbfs,
        snr_db=heard.snr_db,
        clipping=clipping,
        advice=tuple(_advice(heard, clipping)),
    )


def _advice(heard: Heard, clipping: float) -> Iterator[str]:
    seconds, (least, most) = heard.end - heard.start, BEST_SECONDS
    if not least <= seconds <= most:
        yield f"It has {seconds:.0f} s of speech; {least} to {most} s is best."
    if clipping > MAX_CLIPPING:
        yield f"It clips ({clipping:.1%} of it): lower the microphone's gain and record it again."
    if heard.snr_db < LOW_SNR_DB:
        yield f"It is noisy (about {heard.snr_db:.0f} dB above the noise): record it in a quieter room."
    if heard.level_dbfs < QUIET_DBFS:
        yield f"It is quiet ({heard.level_dbfs:.0f} dBFS): move closer to the microphone or raise its gain."
