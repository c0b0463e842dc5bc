"""Which container a recording is in, and whether its header claims more than the bytes can back.

libav is told the demuxer by name and never guesses, so that text, playlists and images do not reach it at
all. It allocates what some headers claim: an MP4 file of 80 kB could take 2 GB.
"""

import struct
from collections.abc import Iterator
from itertools import islice

from june_tts.audio.cutoff import mp3_frame_bytes

MP3_SEARCH_BYTES = 8192
"""Some encoders pad before the first frame."""
MP4_FIRST_BOXES = (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide")

MAX_MP4_BOXES = 20_000
"""At the top level; a recording in fragments of 20 ms has two for each."""
MAX_MP4_FRAMES = 100_000
"""Half an hour of AAC; libav takes about 40 bytes for each, whether it is there or not."""
MP4_TABLES = {b"stsz": 12, b"stz2": 12, b"trun": 8}
"""Boxes that state a number of frames, and where: bytes after the start of the name."""


def strip_id3(data: bytes) -> bytes:
    """The file without ID3v2 tags in front, which any container may have."""
    while data[:3] == b"ID3" and len(data) > 10:
        size = sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
        data = data[10 + size + (10 if data[5] & 0x10 else 0) :]
    return data


def container_of(data: bytes) -> str | None:
    """One of wav, flac, ogg, webm, m4a, aac and mp3; None where it is none of them."""
    starts = {b"fLaC": "flac", b"OggS": "ogg", b"\x1a\x45\xdf\xa3": "webm"}
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "wav"
    if data[4:8] in MP4_FIRST_BOXES:
        return "m4a"
    if len(data) > 7 and data[0] == 0xFF and data[1] & 0xF6 == 0xF0:
        return "aac"
    return starts.get(data[:4]) or ("mp3" if _has_mp3_frames(data) else None)


def _has_mp3_frames(data: bytes) -> bool:
    """Two frames, one after the other; a single frame's header is found in any noise."""
    for at in range(min(len(data), MP3_SEARCH_BYTES)):
        length = mp3_frame_bytes(data[at : at + 4])
        if length and mp3_frame_bytes(data[at + length : at + length + 4]):
            return True
    return False


def mp4_overclaims(data: bytes) -> bool:
    """Whether an MP4 file claims more than a recording of its size can have."""
    boxes = list(islice(_mp4_boxes(data), MAX_MP4_BOXES + 1))
    return len(boxes) > MAX_MP4_BOXES or any(_box_overclaims(*box, data) for box in boxes)


def _mp4_boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of every box at the top level, whether or not it ends within the file."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size == 1 and at + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, at + 8)
        end = at + max(size, 8) if size else len(data)
        yield kind, at + 8, end
        at = end


def _box_overclaims(kind: bytes, start: int, end: int, data: bytes) -> bool:
    if kind == b"mdat":
        return False
    # Wherever libav may look for them: it reads tables at any depth, and those in unusual places too.
    box = data[start:end]
    return end > len(data) or b"cmov" in box or any(n > MAX_MP4_FRAMES for n in _mp4_frames(box))


def _mp4_frames(box: bytes) -> Iterator[int]:
    for table, offset in MP4_TABLES.items():
        at = box.find(table)
        while at >= 0:
            if at + offset + 4 <= len(box):
                yield struct.unpack_from(">I", box, at + offset)[0]
            at = box.find(table, at + 1)
