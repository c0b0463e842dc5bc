"""Voices as fish-speech's server keeps them: `references/<id>/`, recordings with transcripts (`.lab`) beside.

An id has no dot and no slash in it, so that it never leads out of the folder.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from june_tts.audio.decode import decode
from june_tts.errors import InvalidRequest, StoreUnavailable, VoiceExists, VoiceNotFound, shown
from june_tts.types import InlineReference

_ID = re.compile(r"[a-zA-Z0-9\-_ ]{1,255}")
AUDIO = frozenset(
    (".mp3", ".wav", ".flac", ".ogg", ".m4a", ".wma", ".aac", ".aiff", ".aif", ".aifc", ".webm")
)
"""What the original looks for, and WebM."""
MAX_SECONDS = 180
MOST_RECORDINGS = 16
"""Of one voice."""
MOST_AUDIO_BYTES = 64 << 20
MOST_TEXT_BYTES = 64 << 10

T = TypeVar("T")


class ReferenceFolders:
    """Implements `ports.References`. What is put into the folder by hand is found without a restart."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def find(self, reference_id: str) -> tuple[InlineReference, ...]:
        return await _done(lambda: self._find(reference_id))

    async def list(self) -> Sequence[str]:
        return await _done(self._list)

    async def add(self, reference_id: str, audio: bytes, text: str) -> None:
        """Raises: InvalidRecording, VoiceExists, InvalidRequest."""
        await _done(lambda: self._add(reference_id, audio, text))

    async def remove(self, reference_id: str) -> None:
        await _done(lambda: self._remove(reference_id))

    async def rename(self, old: str, new: str) -> None:
        await _done(lambda: self._rename(old, new))

    def _find(self, reference_id: str) -> tuple[InlineReference, ...]:
        files = _recordings(self._existing(reference_id))
        if len(files) > MOST_RECORDINGS:
            raise InvalidRequest(
                f"reference_id {shown(reference_id)} has {len(files)} recordings: expected "
                f"{MOST_RECORDINGS} at most",
                param="reference_id",
            )
        return tuple(InlineReference(_read(file, MOST_AUDIO_BYTES), _transcript(file)) for file in files)

    def _list(self) -> Sequence[str]:
        if not self._root.is_dir():
            return []
        return sorted(p.name for p in self._root.iterdir() if _ID.fullmatch(p.name) and _recordings(p))

    def _add(self, reference_id: str, audio: bytes, text: str) -> None:
        target = self._free(reference_id)
        kind = decode(audio, max_seconds=MAX_SECONDS).format
        beside = self._root / f".{uuid4().hex}"
        beside.mkdir(parents=True)
        try:
            (beside / f"sample.{kind}").write_bytes(audio)
            (beside / "sample.lab").write_text(text, encoding="utf-8")
            _move(beside, target, reference_id)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _remove(self, reference_id: str) -> None:
        """Out of sight in one step, so that nobody finds half of it."""
        beside = self._root / f".{uuid4().hex}"
        self._existing(reference_id).rename(beside)
        shutil.rmtree(beside)

    def _rename(self, old: str, new: str) -> None:
        found = self._existing(old)
        _move(found, self._free(new), new)

    def _existing(self, reference_id: str) -> Path:
        """Raises: VoiceNotFound, also for what is no id."""
        folder = self._root / reference_id if _ID.fullmatch(reference_id) else None
        if folder is None or not _recordings(folder):
            raise VoiceNotFound(f"there is no voice {shown(reference_id)}", param="reference_id")
        return folder

    def _free(self, reference_id: str) -> Path:
        """Raises: InvalidRequest, VoiceExists."""
        if not _ID.fullmatch(reference_id):
            raise InvalidRequest(
                f"id is {shown(reference_id)}: expected 1 to 255 letters, digits, '-', '_' or blanks",
                param="id",
            )
        folder = self._root / reference_id
        if folder.exists():
            raise VoiceExists(f"a voice with the id {shown(reference_id)} exists already", param="id")
        return folder


def _recordings(folder: Path) -> list[Path]:
    """Sorted: in the file system's order, as the original has them, a copied folder may be another voice."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO and path.is_file())


def _transcript(recording: Path) -> str:
    """Empty where there is none; the original speaks the file's path as its transcript then."""
    lab = recording.with_suffix(".lab")
    return _read(lab, MOST_TEXT_BYTES).decode(errors="replace").strip() if lab.is_file() else ""


def _read(file: Path, most: int) -> bytes:
    size = file.stat().st_size
    if size > most:
        raise InvalidRequest(f"{shown(file.name)} has {size} bytes: expected {most} at most")
    return file.read_bytes()


def _move(source: Path, target: Path, reference_id: str) -> None:
    try:
        # fails where another request has put a folder there meanwhile
        os.rename(source, target)
    except OSError as taken:
        if target.exists():
            raise VoiceExists(f"a voice with the id {shown(reference_id)} exists already") from taken
        raise


async def _done(work: Callable[[], T]) -> T:
    """In a thread. Raises: StoreUnavailable, where the file system does not play along."""
    try:
        return await asyncio.to_thread(work)
    except OSError as bad:
        raise StoreUnavailable(f"the references cannot be read or written ({bad.strerror})") from bad
