"""Utterances that are spoken into rooms."""

from dataclasses import dataclass
from typing import Literal

from june_tts.errors import JuneError
from june_tts.types.speech import SpeechRequest

UtteranceState = Literal["queued", "speaking", "done", "stopped", "failed"]
ENDED: frozenset[UtteranceState] = frozenset({"done", "stopped", "failed"})
"""An utterance in one of these stays in it."""


@dataclass(frozen=True, slots=True)
class RoomRequest:
    """One utterance for a room, as a route hands it to the service."""

    room: str
    speech: SpeechRequest
    priority: int = 0
    """Of what waits for the same room, the highest is spoken first."""
    interrupt: bool = False
    """Stop what the room hears, and what waits there, unless its priority is higher."""


@dataclass(frozen=True, slots=True)
class UtteranceReport:
    """How far an utterance in a room has come."""

    id: str
    room: str
    voice_id: str
    priority: int
    state: UtteranceState
    heard_seconds: float
    """Of its speech, what has left for the room."""
    total_seconds: float
    """Since it was accepted, up to now or to its end."""
    error: JuneError | None = None
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class Line:
    """What an utterance in a room says, for its captions."""

    id: str
    text: str
    """As the caller wrote it."""
    speed: float = 1.0
    language: str = ""


@dataclass(frozen=True, slots=True)
class RoomsState:
    """What is connected to LiveKit."""

    joined: int
    home: bool | None
    """Whether the room that is always joined is joined now; None where there is none."""
    reachable: bool
    """False after a join that failed, until one succeeds."""
