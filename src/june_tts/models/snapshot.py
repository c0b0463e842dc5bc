"""One commit of a repository on a model hub, as the hub describes it; kept beside its files."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from june_tts.models.verified import Published, digest, is_verified

NAME = "june-pull.json"
_MAX_BYTES = 1 << 16
_COMMIT = re.compile("[0-9a-f]{40}")
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a commit. Git knows each by its blob id; a large one is kept beside git, by its SHA-256."""

    name: str
    size: int
    """Bytes."""
    blob: str
    """Git's id: SHA-1 over a header and the content. Of a large file: over the pointer to it."""
    sha256: str | None
    """None for a small file, until it was fetched."""

    def published(self) -> Published | None:
        return Published(self.name, self.size, self.sha256) if self.sha256 else None

    def fits(self, content: bytes) -> bool:
        """Whether a small file's content is this one."""
        header = b"blob %d\0" % len(content)
        return hashlib.sha1(header + content, usedforsecurity=False).hexdigest() == self.blob

    def is_at(self, path: Path) -> bool:
        """Whether the whole file lies at `path`; a hash of it where there is no stamp."""
        known = self.published()
        return known is not None and is_verified(path, known)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a pull fetches, or has fetched."""

    repository: str
    revision: str
    """The commit, 40 hex digits: a branch moves, this does not."""
    files: tuple[HubFile, ...]
    license: str
    accepted_at: str
    """When the licence was agreed to, ISO 8601 in UTC."""

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)

    def is_whole(self, folder: Path) -> bool:
        return all(file.is_at(folder / file.name) for file in self.files)

    def hashed(self, folder: Path) -> "Snapshot":
        """With the SHA-256 of every file, those in `folder` taken for granted. Raises: OSError."""
        return replace(
            self,
            files=tuple(replace(f, sha256=f.sha256 or digest(folder / f.name)) for f in self.files),
        )

    def write(self, folder: Path) -> None:
        """Raises: OSError."""
        beside = folder / f"{NAME}.writing"
        beside.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        beside.replace(folder / NAME)


def read_snapshot(folder: Path) -> Snapshot | None:
    """The one whose note is in `folder`; None where there is none or it cannot be read."""
    try:
        with (folder / NAME).open("rb") as file:
            found = json.loads(file.read(_MAX_BYTES))
        return Snapshot(
            repository=str(found["repository"]),
            revision=commit(found["revision"]),
            files=tuple(_kept(entry) for entry in found["files"]),
            license=str(found["license"]),
            accepted_at=str(found["accepted_at"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def listed(entry: Mapping[str, Any]) -> HubFile:
    """A file as the hub's list of a commit's files gives it. Raises: ValueError, KeyError, TypeError."""
    large = entry.get("lfs") or {}
    sha256 = hash_(large["oid"]) if large else None
    return HubFile(str(entry["path"]), _size(large.get("size", entry["size"])), commit(entry["oid"]), sha256)


def commit(value: object) -> str:
    """Raises: ValueError, unless it is the id of a commit or blob."""
    if not isinstance(value, str) or not _COMMIT.fullmatch(value):
        raise ValueError("no git id of 40 hex digits")
    return value


def hash_(value: object) -> str:
    """Raises: ValueError, unless it is a SHA-256."""
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError("no SHA-256 of 64 hex digits")
    return value


def _kept(entry: Mapping[str, Any]) -> HubFile:
    sha256 = entry["sha256"]
    return HubFile(str(entry["name"]), _size(entry["size"]), commit(entry["blob"]), sha256 and hash_(sha256))


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("no size in bytes")
    return value
