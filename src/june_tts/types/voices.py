"""Voices, and the recordings they are cloned from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

VoiceKind = Literal["builtin", "cloned"]
Visibility = Literal["public", "unlist", "private"]


@dataclass(frozen=True, slots=True)
class Voice:
    """A catalogue entry: everything a caller may know of a voice before it speaks."""

    id: str
    name: str
    kind: VoiceKind
    engine: str | None
    """The one engine of a built-in voice; None for a cloned one, which any cloning engine can speak."""
    languages: tuple[str, ...]
    """BCP 47 tags, the default one first: ("en-US",)."""
    sample_rate: int | None
    """Native rate in Hz; None where it is the engine's."""
    license: str
    created_at: datetime | None = None
    version: str = ""
    """Names what is heard of it: the same id with another one sounds different. Shown to nobody."""


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """What was heard in a reference recording. Levels in dBFS, durations in seconds."""

    format: str
    sample_rate: int
    channels: int
    duration: float
    """Of the whole recording, as uploaded."""
    speech_duration: float
    """After leading and trailing silence is trimmed."""
    peak_dbfs: float
    level_dbfs: float
    snr_db: float
    clipping: float
    """Share of samples at full scale, 0 .. 1."""
    advice: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file, as uploaded."""

    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class VoiceCard:
    """What people read and see of a voice, beside its name; none of it is heard. None: not given."""

    description: str | None = None
    """Empty: without one from now on."""
    tags: tuple[str, ...] | None = None
    visibility: Visibility | None = None
    cover: Picture | None = None


@dataclass(frozen=True, slots=True)
class ClonedVoice:
    """A voice of the library without its audio and its picture."""

    voice_id: str
    name: str
    sha256: str
    audio_bytes: int
    transcript: str | None
    language: str | None
    report: RecordingReport | None
    """None for rows of a table that was there before june-tts, until they are judged."""
    created_at: datetime
    updated_at: datetime
    consent: str | None = None
    """Who agreed to the cloning, in the words of whoever uploaded."""
    description: str | None = None
    tags: tuple[str, ...] = ()
    visibility: Visibility = "private"
    cover_type: str | None = None
    """Media type of its picture; None where it has none."""
    consent_by: str | None = None
    """Whose request stated the consent: a key id, or `cli`; None where the server was open."""
    consent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class VoiceUse:
    """How often a voice was spoken, over all replicas."""

    uses: int
    last_used: datetime


@dataclass(frozen=True, slots=True, eq=False)
class VoiceCodes:
    """A recording of the library in the codes of one codec: made once, kept beside it."""

    codec: str
    """Names the codec's weights and how recordings are prepared for it; 200 characters at most."""
    sha256: str
    """Of the recording, in hex."""
    codes: NDArray[np.int32]
    """Shape (codebooks, frames)."""
    transcript: str | None
    """What a recogniser heard in it, empty where it understood nothing; None where none was asked."""


@dataclass(frozen=True, slots=True)
class NewVoice:
    """A judged recording on its way into the library."""

    voice_id: str
    name: str
    audio: bytes
    """The original bytes, as uploaded."""
    transcript: str | None
    language: str | None
    report: RecordingReport
    consent: str | None = None
    card: VoiceCard = VoiceCard()
    consent_by: str | None = None
    """Key id of whoever states it."""
