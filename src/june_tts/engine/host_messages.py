"""What a web worker and the process with the engines say to each other: docs/decisions/workers.md.

A message is a frozen dataclass, and with some kinds one array. They travel in the frames of the Fish engine's
process (`host_frames.py`), and are checked on arrival. No torch.
"""

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from june_tts.telemetry.noted import Noted
from june_tts.telemetry.tracing import TraceContext
from june_tts.types import (
    Capabilities,
    EngineCounts,
    EngineHealth,
    Grant,
    Order,
    Piece,
    Utterance,
    Voice,
    WordTime,
)

UNWRITTEN = "unwritten"
"""The code of a failure whose cause is the worker's own: it has the error itself."""


@dataclass(frozen=True, slots=True)
class Speak:
    """Begin an utterance. Its array: the recordings to speak like, one after another, of `sizes` bytes."""

    id: int
    engine: str
    utterance: Utterance
    sizes: tuple[int, ...] = ()
    trace: TraceContext | None = None
    """Of the worker's span; None where nobody traces the request."""
    noted: bool = False
    """Whether the worker records it: the answer to come last is then `Spans`."""


@dataclass(frozen=True, slots=True)
class Written:
    """The next piece; asked for by `Wants`, but for the first."""

    id: int
    piece: Piece


@dataclass(frozen=True, slots=True)
class AllWritten:
    """There are no more pieces; with `failed`, because their writer could not go on."""

    id: int
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Took:
    """The listener took a chunk, so that one more may be sent."""

    id: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Forget it. It has no answer; what was under way may still come."""

    id: int


@dataclass(frozen=True, slots=True)
class Encode:
    """The array's samples to codes; answered by `Coded` or `Failed`."""

    id: int
    engine: str


@dataclass(frozen=True, slots=True)
class Decode:
    """The array's codes to samples; answered by `Sounded` or `Failed`."""

    id: int
    engine: str


@dataclass(frozen=True, slots=True)
class Enter:
    """Wait for a place to speak; answered by `Entered` or `Failed`, given back with `Cancel`."""

    id: int
    engine: str
    characters: int
    ongoing: bool
    caller: str
    priority: Literal["interactive", "normal", "batch"]
    deadline: float | None
    """`time.monotonic()` seconds, which are the same for all processes of a machine."""
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Lend:
    """Take from a caller's budgets, all or none; answered by `Lent` or `Failed`. See `ports.Ledger.take`."""

    id: int
    key_id: str
    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold places for a caller's streams; answered by `Held` or `Failed`. See `ports.Ledger.stream`.

    They are given back when the connection ends.
    """

    id: int
    key_id: str
    owner: str
    streams: int
    most: int


@dataclass(frozen=True, slots=True)
class Sign:
    """What the listener of a stream with a place is about: see `service.admission.Place`."""

    id: int
    about: Literal["asks", "hears", "words", "no words"]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Entered:
    id: int


@dataclass(frozen=True, slots=True)
class Lent:
    id: int
    grants: tuple[Grant, ...]
    """One for each order."""


@dataclass(frozen=True, slots=True)
class Held:
    id: int
    fits: bool


@dataclass(frozen=True, slots=True)
class Wants:
    """One more piece can be taken."""

    id: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Audio in the array."""

    id: int
    sample_rate: int
    words: tuple[WordTime, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    id: int


@dataclass(frozen=True, slots=True)
class Failed:
    id: int
    code: str
    message: str
    param: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Spans:
    """What an utterance was made of in the host; sent when it is over, however it ended."""

    id: int
    noted: tuple[Noted, ...]

    def __post_init__(self) -> None:
        """Raises: ValueError, where they are no tree."""
        if not self.noted or any(one.parent not in range(at) for at, one in enumerate(self.noted) if at):
            raise ValueError("expected spans after those that they are within")


@dataclass(frozen=True, slots=True)
class Coded:
    id: int


@dataclass(frozen=True, slots=True)
class Sounded:
    id: int


@dataclass(frozen=True, slots=True)
class EngineState:
    """What is known of an engine without asking it."""

    name: str
    able: Capabilities
    voices: tuple[Voice, ...]
    active: int
    running: int
    health: EngineHealth | None = None
    """None: it runs in the host's own process, and is as that one is."""
    counts: EngineCounts | None = None
    codec_rate: int = 0
    """Hz; 0 where it does not speak in codes."""
    codebooks: int = 0
    tells_progress: bool = False
    idle_since: float | None = None
    """See `ports.TellsProgress`."""


@dataclass(frozen=True, slots=True)
class State:
    """Of every engine, in the order of preference; at first, whenever it has changed, and now and then."""

    engines: tuple[EngineState, ...]


ToHost = Speak | Written | AllWritten | Took | Cancel | Encode | Decode | Enter | Sign | Lend | Hold
Answer = Entered | Wants | Chunk | Done | Failed | Coded | Sounded | Lent | Held
ToWorker = State | Spans | Answer
Message = ToHost | ToWorker
Array = NDArray[Any]
