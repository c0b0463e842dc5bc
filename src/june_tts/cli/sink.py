"""Where `say` puts encoded audio: a file, whole or not at all, or standard output as it is made."""

import struct
import sys
from pathlib import Path
from typing import BinaryIO, Protocol

from june_tts.audio.wav import HEADER_BYTES, OPEN_BYTES
from june_tts.errors import InvalidRequest

_MOST_BYTES = 0xFFFF_FFFF - HEADER_BYTES


class Sink(Protocol):
    def write(self, data: bytes) -> None: ...

    def finish(self) -> None:
        """Everything has been written."""
        ...

    def close(self) -> None:
        """Free the file; without `finish` before it, nothing is left behind."""
        ...


class StdoutSink:
    """Sends each piece at once, for a player behind a pipe."""

    def __init__(self) -> None:
        """Raises: InvalidRequest, where standard output is a terminal."""
        if sys.stdout.isatty():
            raise InvalidRequest("--out -: audio would garble the terminal; send it to a file or a player")
        self._out = sys.stdout.buffer

    def write(self, data: bytes) -> None:
        self._out.write(data)
        self._out.flush()

    def finish(self) -> None:
        return

    def close(self) -> None:
        return


class FileSink:
    """Writes beside the target and puts it in place at the end."""

    def __init__(self, path: Path) -> None:
        """Raises: InvalidRequest, where it cannot be written."""
        self._path = path
        self._beside = path.with_name(f".{path.name}.speaking")
        if path.is_dir():
            raise InvalidRequest(f"--out {path}: is a folder, expected a file", param="out")
        try:
            self._file: BinaryIO = self._beside.open("wb+")
        except OSError as bad:
            raise InvalidRequest(f"--out {path}: cannot be written ({bad.strerror})", param="out") from bad

    def write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as bad:
            raise InvalidRequest(f"--out {self._path}: cannot be written ({bad.strerror})") from bad

    def finish(self) -> None:
        try:
            state_length(self._file)
            self._file.close()
            self._beside.replace(self._path)
        except OSError as bad:
            raise InvalidRequest(f"--out {self._path}: cannot be written ({bad.strerror})") from bad

    def close(self) -> None:
        self._file.close()
        self._beside.unlink(missing_ok=True)


def state_length(file: BinaryIO) -> None:
    """Put the true length into the header of a WAV that was streamed; leave other files alone."""
    end = file.seek(0, 2)
    file.seek(0)
    head = file.read(HEADER_BYTES)
    if len(head) < HEADER_BYTES or head[:4] != b"RIFF" or head[36:40] != b"data":
        return
    (stated,) = struct.unpack_from("<I", head, 40)
    if stated >= OPEN_BYTES and end - HEADER_BYTES <= _MOST_BYTES:
        file.seek(4)
        file.write(struct.pack("<I", end - 8))
        file.seek(40)
        file.write(struct.pack("<I", end - HEADER_BYTES))
