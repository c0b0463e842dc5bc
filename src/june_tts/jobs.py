"""Values of jobs that cross package borders: long texts that are spoken while nobody waits."""

from dataclasses import dataclass
from typing import Literal

from june_tts.types import Format, SpeechRequest

JobState = Literal["queued", "running", "done", "failed", "cancelled"]
OPEN: tuple[JobState, ...] = ("queued", "running")
"""A job in another state stays in it."""

BLOCK_BYTES = 256 << 10
"""Of a result, as it is kept and sent: a range is found without looking for it."""


class JobLost(Exception):
    """Whoever works on this job does no longer: it was cancelled, has ended, or another replica has it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed, as it is kept."""

    code: str
    message: str
    param: str | None
    retryable: bool


@dataclass(frozen=True, slots=True)
class NewJob:
    id: str
    owner: str
    """Id of the key that it was made with; empty where the server is open."""
    title: str | None
    speech: SpeechRequest
    """All of its text. Checked."""
    format: Format
    sample_rate: int | None
    """Hz of the result; None: the engine's own."""


@dataclass(frozen=True, slots=True)
class Job:
    """How far a job has come. Times in seconds since 1970, by the clock of the database."""

    id: str
    owner: str
    title: str | None
    voice_id: str
    """As it was asked for."""
    format: Format
    sample_rate: int | None
    state: JobState
    characters: int
    spoken: int
    """Of its characters, those whose speech is kept."""
    pieces: int
    """That are kept."""
    piece_rate: int | None
    """Hz of the pieces; None before the first one."""
    samples: int
    """Of all pieces together."""
    audio_bytes: int | None
    """Of the result; None before it is done."""
    created_at: float
    started_at: float | None
    ended_at: float | None
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Hold:
    """Who works on a job. It is theirs until they say nothing for `seconds`."""

    job_id: str
    runner: str
    seconds: float


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job as it is handed to whoever works on it."""

    job: Job
    speech: SpeechRequest
    tries: int
    """How often it was handed out since its last piece was kept, this time included."""


@dataclass(frozen=True, slots=True, eq=False)
class JobPiece:
    """A stretch of a job's speech: silence around it trimmed, and the pause behind it in place."""

    number: int
    stop: int
    """In the text, where the next piece begins."""
    sample_rate: int
    pcm: bytes
    """16 bits, little-endian, mono."""


@dataclass(frozen=True, slots=True)
class JobRules:
    """How many jobs a caller may have, and how long."""

    waiting: int = 100
    """Queued and running."""
    kept: int = 1000
    """Ended; the oldest are forgotten first."""
    kept_seconds: float = 7 * 86_400.0
