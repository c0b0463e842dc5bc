"""Voices to put into a library: what they hold follows from their id, so that a reader can check them."""

import hashlib
import random
from collections.abc import Awaitable, Callable

from june_tts.ports import VoiceStore
from june_tts.types import NewVoice, RecordingReport

OpenStore = Callable[[], Awaitable[VoiceStore]]

REPORT = RecordingReport(
    format="wav",
    sample_rate=22_050,
    channels=1,
    duration=11.5,
    speech_duration=10.25,
    peak_dbfs=-1.5,
    level_dbfs=-20.0,
    snr_db=float("inf"),
    clipping=0.0,
    advice=("10 to 30 s is best", "schön"),
)


def recording(voice_id: str, size: int | None = None) -> bytes:
    """Bytes that only this id has; 50 to 150 KB unless told."""
    draw = random.Random(voice_id)
    return draw.randbytes(draw.randrange(50_000, 150_000) if size is None else size)


def new_voice(voice_id: str, name: str = "Ada", size: int | None = None) -> NewVoice:
    audio = recording(voice_id, size)
    return NewVoice(voice_id, name, audio, "Guten Tag.", "de", REPORT, consent="Ada herself")


def sha256(audio: bytes) -> str:
    return hashlib.sha256(audio).hexdigest()
