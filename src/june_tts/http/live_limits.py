"""What a live socket may do: time, sizes, and how many there are at once."""

from dataclasses import dataclass, field

from june_tts.http.ending import Ending


@dataclass(frozen=True, slots=True)
class LiveLimits:
    """Times in seconds."""

    idle_seconds: float = 600.0
    """Nothing is sent and nothing spoken for so long: the socket is closed. LiveKit pools them for 300 s."""
    turn_seconds: float = 3600.0
    """From a turn's start to its last audio. Pipecat has one turn for a whole conversation."""
    waiting_chars: int = 10_000
    """Written and not read by the engine yet; beyond it, the socket is not read."""
    stall_seconds: float = 120.0
    """A client that takes nothing for so long is cut off."""
    turn_chars: int = 100_000
    """Of one turn, where its API must not stop reading: what comes next may be the word to stop it."""
    contexts: int = 16
    """Turns of one socket at once, where its API has that; each holds a place only while it speaks."""
    ending: Ending = field(default_factory=Ending, compare=False)
    """When turns that are still open end because the server does."""
