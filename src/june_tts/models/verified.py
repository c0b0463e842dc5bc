"""Whether a big file on disk is the one that was published, without hashing it at every start.

A stamp beside the file notes the hash that was once computed and the size and mtime it was computed for.
While those still fit, the hash is trusted; otherwise the file is hashed again.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 1 << 20
_MAX_STAMP_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Published:
    """A file as its publisher describes it: name, size in bytes, SHA-256 in lower-case hex."""

    name: str
    size: int
    sha256: str


def is_verified(path: Path, published: Published) -> bool:
    """Whether the file at `path` is this one; costs one stat and one small read where it is stamped."""
    try:
        found = path.stat()
        if found.st_size != published.size:
            return False
        if _read_stamp(path) == _stamp(found, published.sha256):
            return True
        if digest(path) != published.sha256:
            return False
    except OSError:
        return False
    stamp(path, published.sha256)
    return True


def digest(path: Path, progress: Callable[[int], object] | None = None) -> str:
    """SHA-256 of a file in hex; `progress` hears of each block's bytes. Raises: OSError."""
    seen = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            seen.update(block)
            if progress:
                progress(len(block))
    return seen.hexdigest()


def stamp(path: Path, sha256: str) -> None:
    """Note that the file as it is now has this hash. A read-only folder costs a hash per start."""
    target = _stamp_path(path)
    beside = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        beside.write_text(json.dumps(_stamp(path.stat(), sha256)), encoding="utf-8")
        beside.replace(target)
    except OSError:
        return


def _stamp_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.stamp")


def _stamp(found: os.stat_result, sha256: str) -> dict[str, object]:
    return {"sha256": sha256, "size": found.st_size, "mtime_ns": found.st_mtime_ns}


def _read_stamp(path: Path) -> object:
    try:
        with _stamp_path(path).open("rb") as file:
            return json.loads(file.read(_MAX_STAMP_BYTES))
    except (OSError, ValueError):
        return None
