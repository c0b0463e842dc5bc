"""Frames over a socket: whole in any chunking, and nothing that is damaged passes or is waited for."""

import json
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from june_tts.fish.wire import (
    HEAD_BYTES,
    MAGIC,
    MOST_ARRAYS,
    MOST_HEADER_BYTES,
    MOST_PAYLOAD_BYTES,
    Frame,
    Unpacker,
    WireError,
    pack,
)

pytestmark = pytest.mark.unit

FRAME = Frame(
    "Frames",
    {"id": "a", "text": "ü\n", "number": 1.5, "none": None},
    (np.arange(6, dtype=np.int32).reshape(2, 3), np.linspace(-1, 1, 7, dtype=np.float32)),
)


def unpacked(data: bytes) -> list[Frame]:
    return list(Unpacker().feed(data))


def raw(header: bytes, payload: bytes = b"") -> bytes:
    """A frame whose checksums are right, whatever is in it."""
    head = struct.pack("!4sIII", MAGIC, len(header), len(payload), zlib.crc32(header + payload))
    return head + struct.pack("!I", zlib.crc32(head)) + header + payload


def with_header(**changed: Any) -> bytes:
    return raw(json.dumps({"kind": "K", "fields": {}, "arrays": []} | changed).encode())


def same(one: Frame, other: Frame) -> bool:
    arrays = [
        np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(one.arrays, other.arrays, strict=True)
    ]
    return one.kind == other.kind and one.fields == other.fields and all(arrays)


@given(st.lists(st.integers(1, 300), max_size=20))
def test_frames_are_whole_however_the_bytes_are_cut(cuts: list[int]) -> None:
    data = pack(FRAME) + pack(Frame("Ping", {})) + pack(FRAME)
    unpacker = Unpacker()
    found: list[Frame] = []
    for size in [*cuts, len(data)]:
        found += unpacker.feed(data[:size])
        data = data[size:]
    assert [frame.kind for frame in found] == ["Frames", "Ping", "Frames"]
    assert same(found[0], FRAME) and same(found[2], FRAME)
    assert not unpacker.partial


@settings(max_examples=300)
@given(st.integers(0, len(pack(FRAME)) * 8 - 1))
def test_a_frame_with_any_bit_flipped_is_refused_at_once(bit: int) -> None:
    data = bytearray(pack(FRAME))
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WireError):
        unpacked(bytes(data))


@given(st.binary(min_size=HEAD_BYTES, max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        unpacked(data)


def test_a_first_byte_that_is_wrong_is_enough() -> None:
    with pytest.raises(WireError, match="other bytes"):
        unpacked(b"G")


def test_a_frame_that_is_not_complete_is_waited_for() -> None:
    unpacker = Unpacker()
    assert list(unpacker.feed(pack(FRAME)[:-1])) == []
    assert unpacker.partial


@pytest.mark.parametrize(
    ("header_bytes", "payload_bytes"), [(MOST_HEADER_BYTES + 1, 0), (0, MOST_PAYLOAD_BYTES + 1)]
)
def test_a_frame_that_announces_too_much_is_refused_before_it_comes(
    header_bytes: int, payload_bytes: int
) -> None:
    head = struct.pack("!4sIII", MAGIC, header_bytes, payload_bytes, 0)
    with pytest.raises(WireError, match="at most"):
        unpacked(head + struct.pack("!I", zlib.crc32(head)))


@pytest.mark.parametrize(
    "frame",
    [
        Frame("K", {"text": "x" * MOST_HEADER_BYTES}),
        Frame("K", {}, (np.zeros(MOST_PAYLOAD_BYTES // 4 + 1, np.float32),)),
        Frame("K", {}, (np.zeros(1, np.float32),) * (MOST_ARRAYS + 1)),
        Frame("K", {}, (np.zeros(1, np.float64),)),
        Frame("K", {}, (np.zeros(1, np.object_),)),
        Frame("K", {}, (np.zeros((1, 1, 1, 1), np.int32),)),
    ],
)
def test_what_breaks_a_limit_is_not_sent(frame: Frame) -> None:
    with pytest.raises(WireError, match="expected"):
        pack(frame)


@pytest.mark.parametrize(
    "data",
    [
        raw(b"no json"),
        raw(b"[]"),
        raw(b"[" * 60_000),
        raw(b'{"kind": "K", "fields": {}}'),
        with_header(kind=1),
        with_header(fields=[]),
        with_header(arrays={}),
        with_header(arrays=[{"dtype": "object", "shape": [1]}]),
        with_header(arrays=[{"dtype": "int32", "shape": [-1]}]),
        with_header(arrays=[{"dtype": "int32", "shape": [True]}]),
        with_header(arrays=[{"dtype": "int32", "shape": [1, 1, 1, 1]}]),
        with_header(arrays=[{"dtype": "int32", "shape": [0]}] * (MOST_ARRAYS + 1)),
        with_header(arrays=[{"dtype": "int32", "shape": [1]}]),
        with_header(arrays=[{"dtype": "int32", "shape": [1 << 62, 1 << 62]}]),
        raw(b'{"kind":"K","fields":{},"arrays":[]}', b"1234"),
    ],
)
def test_a_header_that_lies_is_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        unpacked(data)


def test_arrays_arrive_writable_and_do_not_share_the_buffer() -> None:
    (frame,) = unpacked(pack(FRAME))
    frame.arrays[0][:] = 7
    assert frame.arrays[1][0] == -1
