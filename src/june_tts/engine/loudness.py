"""Brings voices to one loudness, so that changing the voice does not change the volume.

Piper's own program scales every sentence to full scale, which makes a quiet word as loud as a shout and
cannot be done before the sentence is finished. Here a voice has one fixed gain, found once from a sentence.
"""

import numpy as np

from june_tts.types import Samples

TARGET_DBFS = -20.0
"""Mean level of speech, which is where Kokoro's voices are and where telephony expects it."""
MOST_GAIN_DB = 12.0
KNEE = 0.8
"""Of full scale: what the gain lifts above it is bent softly instead of cut off."""
QUIET = 0.02
"""Samples' frames below this share of the loudest one's power are pauses and do not count."""
FRAME = 512


def gain_for(speech: Samples) -> float:
    """The factor that brings this speech to the target level; 1.0 for silence."""
    frames = speech[: speech.size // FRAME * FRAME].reshape(-1, FRAME)
    power = (frames.astype(np.float64) ** 2).mean(axis=1) if len(frames) else np.zeros(1)
    if power.max() < 1e-8:
        return 1.0
    level = 10 * np.log10(power[power > QUIET * power.max()].mean())
    wanted = np.clip(TARGET_DBFS - level, -MOST_GAIN_DB, MOST_GAIN_DB)
    return float(10 ** (wanted / 20))


def amplified(samples: Samples, gain: float) -> Samples:
    """Samples times gain, bent towards full scale above the knee. Each sample alone: no state, no click."""
    louder = samples * np.float32(gain)
    size = np.abs(louder)
    over = size > KNEE
    if over.any():
        room = 1.0 - KNEE
        bent = KNEE + room * np.tanh((size[over] - KNEE) / room)
        louder[over] = np.copysign(bent, louder[over])
    return louder
