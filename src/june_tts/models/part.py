"""A download that is not complete yet: the bytes so far, and which version of the file they came from."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from june_tts.models.verified import Published, digest, stamp

_MAX_NOTE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Part:
    """`<name>.part` beside the target, with a note of the server's validator for it. Any method: OSError."""

    target: Path
    published: Published

    @property
    def path(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part")

    @property
    def _note(self) -> Path:
        return self.target.with_name(f"{self.target.name}.part.note")

    def offset(self) -> int:
        """Bytes that can be kept; 0, with the file removed, where they cannot belong to this one."""
        size = self.path.stat().st_size if self.path.exists() else 0
        if size > self.published.size or self._read_note().get("sha256") != self.published.sha256:
            self.drop()
            return 0
        return size

    def validator(self) -> str | None:
        """What If-Range may carry: a strong ETag or a date."""
        found = self._read_note().get("validator")
        return found if isinstance(found, str) else None

    def begin(self, validator: str | None) -> None:
        """Start over, from a version of the file that the server calls `validator`."""
        self.drop()
        note = {"sha256": self.published.sha256, "validator": validator}
        self._note.write_text(json.dumps(note), encoding="utf-8")
        self.path.touch()

    def drop(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def sha256(self) -> str:
        return digest(self.path)

    def finish(self) -> None:
        """Put the checked file in its place, durably and at once."""
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        self.path.replace(self.target)
        self._note.unlink(missing_ok=True)
        stamp(self.target, self.published.sha256)

    def _read_note(self) -> dict[str, object]:
        try:
            with self._note.open("rb") as file:
                found = json.loads(file.read(_MAX_NOTE_BYTES))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
