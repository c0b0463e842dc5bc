"""The messages of `host_messages.py` as frames of `fish/wire.py`: packed, and checked on arrival."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, get_args

import numpy as np
from pydantic import TypeAdapter, ValidationError

from june_tts.engine.host_messages import Array, Failed, Message, Speak
from june_tts.errors import EngineFailed, JuneError
from june_tts.fish.wire import Frame, WireError, pack
from june_tts.types import InlineReference, Utterance

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
