"""What the server and the engine's process say to each other. Plain values, checked on arrival. No torch.

What goes into the loop and what comes out of it (`events.py`) travels as it is; the rest is here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from june_tts.errors import InvalidRequest, SettingsError
from june_tts.fish.events import Done, Failed, Frames, LoopConfig, Request, Stats, Timings
from june_tts.fish.options import EngineInfo, EngineOptions
from june_tts.fish.sequence import Codes, SamplingParams
from june_tts.fish.wire import Frame, WireError
from june_tts.types import Samples

NOBODY = ""
"""The id of what belongs to no request: a failure to load."""


@dataclass(frozen=True, slots=True)
class Load:
    """The first message to the engine: what to load. Answered by `Ready`, or by `Failed` for `NOBODY`."""

    options: EngineOptions


@dataclass(frozen=True, slots=True)
class Took:
    """The listener took frames, so that as many more may be sent."""

    id: str
    frames: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Forget a request. It has no answer; what was under way for it may still come."""

    id: str


@dataclass(frozen=True, slots=True)
class Encode:
    """A recording to codes; answered by `CodesMade` or `Failed`."""

    id: str
    samples: Samples


@dataclass(frozen=True, slots=True)
class Decode:
    """Codes to samples; answered by `SamplesMade` or `Failed`."""

    id: str
    codes: Codes


@dataclass(frozen=True, slots=True)
class Ping:
    """Answered by `Stats`, between two steps."""


@dataclass(frozen=True, slots=True)
class Ready:
    info: EngineInfo


@dataclass(frozen=True, slots=True)
class CodesMade:
    id: str
    codes: Codes


@dataclass(frozen=True, slots=True)
class SamplesMade:
    id: str
    samples: Samples


ToEngine = Load | Request | Took | Cancel | Encode | Decode | Ping
Answer = Frames | Done | Failed | CodesMade | SamplesMade
FromEngine = Ready | Stats | Answer
Message = ToEngine | FromEngine

_KINDS: Mapping[str, type[Message]] = {kind.__name__: kind for kind in get_args(Message)}
_INSIDE = (EngineOptions, EngineInfo, LoopConfig, SamplingParams, Timings)
_HINTS: Mapping[type, Mapping[str, Any]] = {
    kind: get_type_hints(kind) for kind in (*_KINDS.values(), *_INSIDE)
}
_ARRAYS: Mapping[Any, tuple[str, int]] = {
    NDArray[np.int32]: ("int32", 2),
    NDArray[np.float32]: ("float32", 1),
}
"""Array types to their dtype and number of dimensions."""


def to_frame(message: Message) -> Frame:
    values = {field.name: getattr(message, field.name) for field in fields(message)}
    arrays = [value for value in values.values() if isinstance(value, np.ndarray)]
    plain = {name: _plain(value) for name, value in values.items() if not isinstance(value, np.ndarray)}
    return Frame(type(message).__name__, plain, arrays)


def from_frame(frame: Frame) -> Message:
    """Raises: WireError, naming what is not as expected."""
    kind = _KINDS.get(frame.kind)
    if kind is None:
        raise WireError(f"a frame is of the kind {frame.kind[:40]!r}, which is none of ours")
    arrays = iter(frame.arrays)
    values: dict[str, Any] = {}
    for name, wanted in _HINTS[kind].items():
        if _array_type(wanted) is not None and frame.fields.get(name, ...) is not None:
            values[name] = _array(arrays, wanted, f"{frame.kind}.{name}")
        else:
            values[name] = _value(frame.fields.get(name, ...), wanted, f"{frame.kind}.{name}")
    if next(arrays, None) is not None or frame.fields.keys() - values.keys():
        raise WireError(f"{frame.kind} has more in it than it should")
    return kind(**values)


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _array_type(wanted: Any) -> tuple[str, int] | None:
    """Dtype and dimensions, where an array or nothing but an array is wanted."""
    kinds = get_args(wanted) if isinstance(wanted, UnionType) else (wanted,)
    return next((_ARRAYS[kind] for kind in kinds if kind in _ARRAYS), None)


def _array(arrays: Iterator[NDArray[Any]], wanted: Any, where: str) -> NDArray[Any]:
    dtype, dimensions = _array_type(wanted) or ("", 0)
    array = next(arrays, None)
    if array is None or array.dtype.name != dtype or array.ndim != dimensions:
        found = "missing" if array is None else f"{array.dtype.name} of shape {array.shape}"
        raise WireError(f"{where} is {found}, expected {dtype} with {dimensions} dimensions")
    return array


def _value(value: Any, wanted: Any, where: str) -> Any:
    if isinstance(wanted, UnionType):
        if value is None and NoneType in get_args(wanted):
            return None
        (wanted,) = (kind for kind in get_args(wanted) if kind is not NoneType)
    if is_dataclass(wanted) and isinstance(wanted, type):
        return _nested(value, wanted, where)
    if not _fits(value, wanted):
        raise WireError(f"{where} is {str(value)[:40]!r}, expected {getattr(wanted, '__name__', wanted)}")
    return wanted(value) if isinstance(wanted, type) else value


def _fits(value: Any, wanted: Any) -> bool:
    if get_origin(wanted) is Literal:
        return value in get_args(wanted)
    if isinstance(wanted, type) and issubclass(wanted, StrEnum):
        return value in list(wanted)
    return type(value) is wanted or (wanted is float and type(value) is int)


def _nested(value: Any, wanted: type, where: str) -> Any:
    hints = _HINTS[wanted]
    if not isinstance(value, dict) or value.keys() != hints.keys():
        raise WireError(f"{where} has other fields than expected")
    try:
        return wanted(**{name: _value(value[name], hint, f"{where}.{name}") for name, hint in hints.items()})
    except (InvalidRequest, SettingsError) as bad:
        raise WireError(f"{where}: {bad}") from bad
