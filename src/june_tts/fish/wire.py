"""Frames over a stream socket: a fixed head, a JSON header, raw arrays. No pickle, no torch.

A frame is 20 bytes of head (magic, length of the header, length of the payload, CRC-32 of both together,
CRC-32 of the head so far), the header, and the payload: the arrays one after another, in the native order
of bytes, since both ends are on one machine. The head has a checksum of its own so that a damaged length is
found at once: a reader that believed it would wait for bytes that nobody sends.
"""

import json
import math
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"jFw1"
MOST_HEADER_BYTES = 64 << 10
MOST_PAYLOAD_BYTES = 64 << 20
"""Three times a minute of reference audio at 44.1 kHz, with room."""
MOST_ARRAYS = 4
MOST_DIMENSIONS = 3
DTYPES: dict[str, np.dtype[Any]] = {
    "int32": np.dtype(np.int32),
    "float32": np.dtype(np.float32),
    "uint8": np.dtype(np.uint8),
}

_HEAD = struct.Struct("!4sIII")
_CHECK = struct.Struct("!I")
HEAD_BYTES = _HEAD.size + _CHECK.size

Array = NDArray[Any]


class WireError(Exception):
    """What came over the socket is no frame of ours; nothing after it can be read."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message as it travels. `fields` must be JSON."""

    kind: str
    fields: Mapping[str, Any]
    arrays: Sequence[Array] = ()


def pack(frame: Frame) -> bytes:
    """Raises: WireError, where a limit is broken or an array is of another type."""
    if len(frame.arrays) > MOST_ARRAYS:
        raise WireError(f"a frame has {len(frame.arrays)} arrays, expected {MOST_ARRAYS} at most")
    shapes = [_described(array) for array in frame.arrays]
    header = json.dumps(
        {"kind": frame.kind, "fields": frame.fields, "arrays": shapes}, separators=(",", ":"), allow_nan=False
    ).encode()
    payload = b"".join(np.ascontiguousarray(array).tobytes() for array in frame.arrays)
    _check_lengths(len(header), len(payload))
    head = _HEAD.pack(MAGIC, len(header), len(payload), zlib.crc32(payload, zlib.crc32(header)))
    return b"".join((head, _CHECK.pack(zlib.crc32(head)), header, payload))


class Unpacker:
    """Bytes in, frames out, however the bytes are cut. Holds one frame at most, and a read's worth more."""

    def __init__(self) -> None:
        self._held = bytearray()

    @property
    def partial(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._held)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now.

        Raises:
            WireError: the bytes are no frame. The unpacker is of no use after that.
        """
        self._held += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        if len(self._held) < HEAD_BYTES:
            if not MAGIC.startswith(self._held[: len(MAGIC)]):
                raise WireError("a frame begins with other bytes than expected")
            return None
        header_bytes, payload_bytes, checksum = _read_head(bytes(self._held[:HEAD_BYTES]))
        end = HEAD_BYTES + header_bytes + payload_bytes
        if len(self._held) < end:
            return None
        body = bytes(memoryview(self._held)[HEAD_BYTES:end])
        del self._held[:end]
        if zlib.crc32(body) != checksum:
            raise WireError("a frame is damaged: its checksum differs")
        return _read_body(body, header_bytes)


def _described(array: Array) -> dict[str, Any]:
    if array.dtype.name not in DTYPES or array.ndim > MOST_DIMENSIONS:
        raise WireError(
            f"an array is {array.dtype.name} of shape {array.shape}, expected {', '.join(DTYPES)}"
        )
    return {"dtype": array.dtype.name, "shape": list(array.shape)}


def _check_lengths(header_bytes: int, payload_bytes: int) -> None:
    if header_bytes > MOST_HEADER_BYTES:
        raise WireError(f"a frame's header has {header_bytes} bytes, expected {MOST_HEADER_BYTES} at most")
    if payload_bytes > MOST_PAYLOAD_BYTES:
        raise WireError(f"a frame's arrays have {payload_bytes} bytes, expected {MOST_PAYLOAD_BYTES} at most")


def _read_head(head: bytes) -> tuple[int, int, int]:
    magic, header_bytes, payload_bytes, checksum = _HEAD.unpack(head[: _HEAD.size])
    if magic != MAGIC:
        raise WireError("a frame begins with other bytes than expected")
    if zlib.crc32(head[: _HEAD.size]) != _CHECK.unpack(head[_HEAD.size :])[0]:
        raise WireError("a frame's head is damaged: its checksum differs")
    _check_lengths(header_bytes, payload_bytes)
    return header_bytes, payload_bytes, checksum


def _read_body(body: bytes, header_bytes: int) -> Frame:
    try:
        header = json.loads(body[:header_bytes])
        kind, fields, described = header["kind"], header["fields"], header["arrays"]
        if not isinstance(kind, str) or not isinstance(fields, dict) or not isinstance(described, list):
            raise TypeError
        shapes = [_shape(each) for each in described[: MOST_ARRAYS + 1]]
    except (ValueError, TypeError, KeyError, RecursionError) as bad:
        raise WireError("a frame's header is not what it should be") from bad
    if len(shapes) > MOST_ARRAYS:
        raise WireError(f"a frame has more than {MOST_ARRAYS} arrays")
    return Frame(kind, fields, tuple(_arrays(shapes, body, header_bytes)))


def _shape(described: dict[str, Any]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    shape = tuple(described["shape"])
    if len(shape) > MOST_DIMENSIONS or any(type(n) is not int or n < 0 for n in shape):
        raise TypeError
    kind: np.dtype[Any] = DTYPES[described["dtype"]]
    return kind, shape


def _arrays(shapes: Sequence[tuple[np.dtype[Any], tuple[int, ...]]], body: bytes, at: int) -> Iterator[Array]:
    for dtype, shape in shapes:
        count = math.prod(shape)
        if at + count * dtype.itemsize > len(body):
            raise WireError("a frame's arrays are larger than its payload")
        # a copy: aligned and writable, which torch wants of what it is given
        yield np.frombuffer(body, dtype, count, at).reshape(shape).copy()
        at += count * dtype.itemsize
    if at != len(body):
        raise WireError("a frame's payload is larger than its arrays")
