import hashlib
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from june_tts.cli.archive import FORMAT, MANIFEST, ArchiveReader, ArchiveWriter
from june_tts.errors import InvalidRequest
from june_tts.types import ClonedVoice, Picture

pytestmark = pytest.mark.unit

AUDIO = b"RIFF and so on"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def voice(voice_id: str) -> ClonedVoice:
    digest = hashlib.sha256(AUDIO).hexdigest()
    return ClonedVoice(
        voice_id, "Ann", digest, len(AUDIO), "What she said.", "en", None, NOW, NOW, "by letter"
    )


def crafted(path: Path, entry: dict[str, Any] | None = None, members: dict[str, bytes] | None = None) -> Path:
    """An archive as somebody might make it by hand."""
    usual = {"voice_id": "ann", "name": "Ann", "sha256": hashlib.sha256(AUDIO).hexdigest(), "file": "a"}
    document = {"format": FORMAT, "version": 1, "voices": [usual | (entry or {})]}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in ({MANIFEST: json.dumps(document).encode(), "a": AUDIO} | (members or {})).items():
            archive.writestr(name, data)
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path / "v.zip")
    writer.add(voice("ann"), AUDIO)
    writer.add(voice("bea"), AUDIO + b"!")
    writer.finish()
    reader = ArchiveReader(tmp_path / "v.zip", 1000)
    first, second = reader.entries()
    assert (first.voice_id, first.name, first.transcript) == ("ann", "Ann", "What she said.")
    assert (first.language, first.consent) == ("en", "by letter")
    assert [reader.audio(first), reader.audio(second)] == [AUDIO, AUDIO + b"!"]
    reader.close()
    assert [path.name for path in tmp_path.iterdir()] == ["v.zip"]


def test_what_is_told_of_a_voice_is_read_again(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path / "v.zip")
    told = replace(voice("ann"), description="Reads.", tags=("calm", "schön"), visibility="unlist")
    writer.add(told, AUDIO, Picture("image/png", b"a picture"))
    writer.add(voice("bea"), AUDIO)
    writer.finish()
    reader = ArchiveReader(tmp_path / "v.zip", 1000)
    first, second = reader.entries()
    assert (first.description, first.tags, first.visibility) == ("Reads.", ("calm", "schön"), "unlist")
    assert (second.description, second.tags, second.visibility) == (None, (), "private")
    assert (reader.cover(first), reader.cover(second)) == (b"a picture", None)
    reader.close()


def test_an_archive_from_before_there_were_descriptions_is_read(tmp_path: Path) -> None:
    reader = ArchiveReader(crafted(tmp_path / "v.zip"), 1000)
    (entry,) = reader.entries()
    assert (entry.description, entry.tags, entry.visibility, entry.cover) == (None, (), "private", None)
    reader.close()


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"tags": "calm"}, "tags: expected a list"),
        ({"tags": [1]}, "tags: expected a list"),
        ({"visibility": "secret"}, "visibility: expected public"),
        ({"visibility": ["public"]}, "visibility: expected public"),
        ({"description": 5}, "description: expected a string"),
        ({"cover": 5}, "cover: expected a string"),
    ],
)
def test_what_is_told_of_a_voice_must_be_of_its_kind(
    tmp_path: Path, entry: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        ArchiveReader(crafted(tmp_path / "v.zip", entry), 1000)


def test_a_picture_that_is_too_large_is_refused(tmp_path: Path) -> None:
    reader = ArchiveReader(crafted(tmp_path / "v.zip", {"cover": "c"}, {"c": b"0" * 5000}), 1000)
    with pytest.raises(InvalidRequest, match="more than 1000 bytes"):
        reader.cover(reader.entries()[0])
    reader.close()


def test_an_archive_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path / "v.zip")
    writer.add(voice("ann"), AUDIO)
    writer.drop()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("entry", "members", "reason"),
    [
        ({"sha256": "0" * 64}, {}, "SHA-256"),
        ({"file": "../../etc/passwd"}, {}, "cannot be read"),
        ({"file": "/etc/passwd"}, {}, "cannot be read"),
        ({}, {"a": b"0" * 5000}, "more than 1000 bytes"),
    ],
    ids=["changed", "above", "absolute", "bomb"],
)
def test_a_recording_that_is_not_as_stated_is_refused(
    tmp_path: Path, entry: dict[str, Any], members: dict[str, bytes], reason: str
) -> None:
    reader = ArchiveReader(crafted(tmp_path / "v.zip", entry, members), 1000)
    with pytest.raises(InvalidRequest, match=reason):
        reader.audio(reader.entries()[0])
    reader.close()
    assert [path.name for path in tmp_path.iterdir()] == ["v.zip"]


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        (b"not json", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "expected format"),
        (b'{"format": "june-tts voices", "version": 2, "voices": []}', "version 1"),
        (b'{"format": "june-tts voices", "version": 1, "voices": {}}', "expected a list"),
        (b'{"format": "june-tts voices", "version": 1, "voices": [1]}', r"voices\[0\] is no object"),
        (
            b'{"format": "june-tts voices", "version": 1, "voices": [{"voice_id": 1}]}',
            r"voices\[0\].voice_id",
        ),
    ],
)
def test_a_manifest_that_is_not_ours_is_refused(tmp_path: Path, manifest: bytes, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        ArchiveReader(crafted(tmp_path / "v.zip", members={MANIFEST: manifest}), 1000)


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.zip").write_bytes(b"text")
    with pytest.raises(InvalidRequest, match=r"cannot be read as a \.zip"):
        ArchiveReader(tmp_path / "v.zip", 1000)
    with pytest.raises(InvalidRequest, match=r"none\.zip"):
        ArchiveReader(tmp_path / "none.zip", 1000)


def test_damage_anywhere_is_an_error_and_never_a_wrong_recording(tmp_path: Path) -> None:
    whole = crafted(tmp_path / "v.zip").read_bytes()
    for at in range(0, len(whole), 7):
        (tmp_path / "d.zip").write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            reader = ArchiveReader(tmp_path / "d.zip", 1000)
        except InvalidRequest:
            continue
        for entry in reader.entries():
            try:
                assert hashlib.sha256(reader.audio(entry)).hexdigest() == entry.sha256
            except InvalidRequest:
                continue
        reader.close()
