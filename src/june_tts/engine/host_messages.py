"""What a web worker and the process with the engines say to each other: docs/decisions/workers.md.

A message is a frozen dataclass, and with some kinds one array. They travel in the frames of the Fish engine's
process (`fish/wire.py`), and are checked on arrival. No torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from june_tts.errors import EngineFailed, JuneError
from june_tts.fish.wire import Frame, WireError, pack
from june_tts.telemetry.noted import Noted
from june_tts.telemetry.tracing import TraceContext
from june_tts.types import (
    Capabilities,
    EngineCounts,
    EngineHealth,
    InlineReference,
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
class Sign:
    """What the listener of a stream with a place is about: see `service.admission.Place`."""

    id: int
    about: Literal["asks", "hears", "words", "no words"]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Entered:
    id: int


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


ToHost = Speak | Written | AllWritten | Took | Cancel | Encode | Decode | Enter | Sign
Answer = Entered | Wants | Chunk | Done | Failed | Coded | Sounded
ToWorker = State | Spans | Answer
Message = ToHost | ToWorker
Array = NDArray[Any]

_KINDS: Mapping[str, Any] = {kind.__name__: kind for kind in get_args(Message)}
_ADAPTERS: Mapping[str, TypeAdapter[Any]] = {name: TypeAdapter(kind) for name, kind in _KINDS.items()}
_ARRAYS = {
    **{"Speak": ("uint8", 1), "Chunk": ("float32", 1), "Encode": ("float32", 1)},
    **{"Decode": ("int32", 2), "Coded": ("int32", 2), "Sounded": ("float32", 1)},
}
"""Dtype and dimensions of the one array of these kinds; the others have none."""


class BadMessage(WireError):
    """A frame that is whole, and yet no message. `id`: of the call it was for, where that can be read."""

    def __init__(self, why: str, id: int | None) -> None:
        super().__init__(why)
        self.id = id


def packed(message: Message, array: Array | None = None) -> bytes:
    """Raises: WireError, where it is larger than a frame may be."""
    kind = type(message).__name__
    fields = _ADAPTERS[kind].dump_python(message, mode="json")
    return pack(Frame(kind, fields, () if array is None else (array,)))


def unpacked(frame: Frame) -> tuple[Message, Array]:
    """The message, and its array or an empty one. Raises: BadMessage."""
    found = frame.fields.get("id")
    ident = found if type(found) is int else None
    adapter, wanted = _ADAPTERS.get(frame.kind), _ARRAYS.get(frame.kind)
    if adapter is None:
        raise BadMessage(f"a frame is of the kind {frame.kind[:40]!r}, which is none of ours", ident)
    if [(array.dtype.name, array.ndim) for array in frame.arrays] != ([wanted] if wanted else []):
        raise BadMessage(f"{frame.kind} has other arrays than expected", ident)
    try:
        message: Message = adapter.validate_python(frame.fields)
    except ValidationError as bad:
        first = bad.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadMessage(f"{frame.kind}.{where}: {first['msg']}", ident) from None
    return message, frame.arrays[0] if wanted else np.zeros(0, np.float32)


def spoken_like(utterance: Utterance) -> tuple[Utterance, tuple[int, ...], Array]:
    """An utterance without the bytes of its recordings; their sizes, and all of them in one array."""
    given = utterance.references
    bare = replace(utterance, references=tuple(replace(one, audio=b"") for one in given))
    whole = np.frombuffer(b"".join(one.audio for one in given), np.uint8)
    return bare, tuple(len(one.audio) for one in given), whole


def with_recordings(message: Speak, whole: Array) -> Utterance:
    """The other way round. Raises: BadMessage."""
    given, sizes = message.utterance.references, message.sizes
    if len(given) != len(sizes) or any(size < 0 for size in sizes) or sum(sizes) != whole.size:
        raise BadMessage("Speak.sizes do not fit its recordings", message.id)
    data, at, found = whole.tobytes(), 0, []
    for one, size in zip(given, sizes, strict=True):
        found.append(InlineReference(data[at : at + size], one.text))
        at += size
    return replace(message.utterance, references=tuple(found))


def failure(id: int, error: BaseException) -> Failed:
    """How an error travels. What is none of ours is told as the engine's failure, by its kind alone."""
    if isinstance(error, JuneError):
        return Failed(id, error.code, str(error), error.param, error.retry_after)
    return Failed(id, EngineFailed.code, f"the engine stopped: {type(error).__name__}")


def as_error(failed: Failed) -> JuneError:
    """The error of the same class."""
    kind = _by_code(JuneError).get(failed.code, EngineFailed)
    return kind(failed.message, param=failed.param, retry_after=failed.retry_after)


def _by_code(kind: type[JuneError]) -> dict[str, type[JuneError]]:
    """Looked up at every failure, which is seldom: a class may be defined after this module."""
    found = {kind.code: kind}
    for child in kind.__subclasses__():
        found = _by_code(child) | found
    return found
