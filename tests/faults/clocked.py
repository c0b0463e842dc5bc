"""`june-tts serve` with a wall clock that somebody sets: `python -m tests.faults.clocked FILE`.

What the clock is wrong by, in seconds, is read from the file at every look at the clock. The monotonic clock
is left alone, as it is when an operator or a time server sets the other one.
"""

import struct
import sys
import time
from mmap import ACCESS_READ, mmap
from pathlib import Path

OFFSET = struct.Struct("d")


def wrong_by(file: Path, seconds: float) -> None:
    """Set the clock of the server that looks at this file."""
    with file.open("r+b" if file.exists() else "w+b") as opened:
        opened.write(OFFSET.pack(seconds))


def set_by(file: Path) -> None:
    """From now on this process's wall clock is that of the file."""
    with file.open("rb") as opened:
        offset = mmap(opened.fileno(), OFFSET.size, access=ACCESS_READ)
    true = time.time

    def wrong() -> float:
        return true() + float(OFFSET.unpack(offset[: OFFSET.size])[0])

    time.time = wrong
    time.time_ns = lambda: round(wrong() * 1e9)


if __name__ == "__main__":
    set_by(Path(sys.argv[1]))  # before anything imports the function by its name
    from june_tts.cli.main import main

    sys.argv[1:] = ["serve"]
    main()
