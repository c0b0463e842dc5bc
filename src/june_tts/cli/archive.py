"""Voices as one file: a .zip with `voices.json` and each recording. Nothing is ever unpacked to disk."""

import hashlib
import json
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from june_tts.errors import InvalidRequest
from june_tts.types import ClonedVoice, Picture, Visibility

MANIFEST = "voices.json"
FORMAT = "june-tts voices"
VERSION = 1
MOST_VOICES = 10_000
_MAX_MANIFEST_BYTES = 32 << 20
# missing, encrypted, of an unknown method, cut short or damaged: zipfile hands through whatever it meets
_UNREADABLE = (
    *(KeyError, OSError, EOFError, ValueError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One voice of an archive, its recording not yet read."""

    voice_id: str
    name: str
    sha256: str
    file: str
    transcript: str | None
    language: str | None
    consent: str | None
    description: str | None = None
    tags: tuple[str, ...] = ()
    visibility: Visibility = "private"
    cover: str | None = None
    """Where its picture is."""


class ArchiveWriter:
    """Writes beside `path` and puts the whole file in place at the end, so that no half archive is left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._beside = path.with_name(f"{path.name}.writing")
        self._zip = zipfile.ZipFile(self._beside, "w", zipfile.ZIP_STORED)
        self._voices: list[dict[str, Any]] = []

    def add(self, voice: ClonedVoice, audio: bytes, cover: Picture | None = None) -> None:
        number = f"{len(self._voices) + 1:05d}"
        file, picture = f"recordings/{number}", f"covers/{number}" if cover else None
        self._zip.writestr(file, audio)
        if picture and cover:
            self._zip.writestr(picture, cover.data)
        self._voices.append(
            {
                "voice_id": voice.voice_id,
                "name": voice.name,
                "sha256": hashlib.sha256(audio).hexdigest(),
                "file": file,
                "transcript": voice.transcript,
                "language": voice.language,
                "consent": voice.consent,
                "description": voice.description,
                "tags": voice.tags,
                "visibility": voice.visibility,
                "cover": picture,
                "created_at": voice.created_at.isoformat(),
            }
        )

    def finish(self) -> None:
        document = {"format": FORMAT, "version": VERSION, "voices": self._voices}
        self._zip.writestr(MANIFEST, json.dumps(document, indent=1, ensure_ascii=False))
        self._zip.close()
        self._beside.replace(self._path)

    def drop(self) -> None:
        """Leave nothing; does nothing after `finish`."""
        self._zip.close()
        self._beside.unlink(missing_ok=True)


class ArchiveReader:
    """Reads an archive that anybody may have made: sizes are limited, names are never used as paths."""

    def __init__(self, path: Path, max_audio_bytes: int) -> None:
        """Raises: InvalidRequest, where it is no archive of voices."""
        self._path = path
        self._max_audio_bytes = max_audio_bytes
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError) as bad:
            raise self._wrong(f"cannot be read as a .zip ({bad})") from bad
        try:
            self._entries = tuple(self._read_manifest())
        except InvalidRequest:
            self.close()
            raise

    def close(self) -> None:
        self._zip.close()

    def entries(self) -> Sequence[Entry]:
        return self._entries

    def audio(self, entry: Entry) -> bytes:
        """The recording of an entry. Raises: InvalidRequest, where it is missing, too large or changed."""
        audio = self._read(entry.file, self._max_audio_bytes)
        actual = hashlib.sha256(audio).hexdigest()
        if actual != entry.sha256:
            raise self._wrong(f"{entry.file}: SHA-256 is {actual}, expected {entry.sha256}")
        return audio

    def cover(self, entry: Entry) -> bytes | None:
        """Its picture, unchecked. Raises: InvalidRequest, where it is missing or too large."""
        return self._read(entry.cover, self._max_audio_bytes) if entry.cover else None

    def _read_manifest(self) -> Iterator[Entry]:
        try:
            found = json.loads(self._read(MANIFEST, _MAX_MANIFEST_BYTES))
        except (ValueError, RecursionError) as bad:
            raise self._wrong(f"{MANIFEST} is no JSON ({bad})") from bad
        if not isinstance(found, dict) or found.get("format") != FORMAT or found.get("version") != VERSION:
            raise self._wrong(f"{MANIFEST}: expected format {FORMAT!r}, version {VERSION}")
        voices = found.get("voices")
        if not isinstance(voices, list) or len(voices) > MOST_VOICES:
            raise self._wrong(f"{MANIFEST}: expected a list of at most {MOST_VOICES} voices")
        for at, voice in enumerate(voices):
            yield self._entry(at, voice)

    def _entry(self, at: int, voice: object) -> Entry:
        if not isinstance(voice, dict):
            raise self._wrong(f"{MANIFEST}: voices[{at}] is no object")

        def text(key: str, optional: bool = False) -> Any:
            value = voice.get(key)
            if not isinstance(value, str) and not (optional and value is None):
                raise self._wrong(f"{MANIFEST}: voices[{at}].{key}: expected a string")
            return value

        tags, visibility = voice.get("tags", []), voice.get("visibility", "private")
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise self._wrong(f"{MANIFEST}: voices[{at}].tags: expected a list of strings")
        if visibility not in get_args(Visibility):
            raise self._wrong(
                f"{MANIFEST}: voices[{at}].visibility: expected {', '.join(get_args(Visibility))}"
            )
        return Entry(
            voice_id=text("voice_id"),
            name=text("name"),
            sha256=text("sha256"),
            file=text("file"),
            transcript=text("transcript", optional=True),
            language=text("language", optional=True),
            consent=text("consent", optional=True),
            description=text("description", optional=True),
            tags=tuple(tags),
            visibility=visibility,
            cover=text("cover", optional=True),
        )

    def _read(self, name: str, limit: int) -> bytes:
        try:
            with self._zip.open(name) as file:
                # the size in the directory may lie, so the stream itself is cut
                data = file.read(limit + 1)
        except _UNREADABLE as bad:
            raise self._wrong(f"{name[:100]!r} cannot be read ({bad})") from bad
        if len(data) > limit:
            raise self._wrong(f"{name[:100]!r} has more than {limit} bytes")
        return data

    def _wrong(self, reason: str) -> InvalidRequest:
        return InvalidRequest(f"{self._path}: {reason}", param="archive")
