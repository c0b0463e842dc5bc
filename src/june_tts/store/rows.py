"""Between database rows and border values. A row never leaves `store`."""

import dataclasses
import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from june_tts.errors import VoiceExists, VoiceNotFound, shown
from june_tts.store.schema import VOICE_ID_CHARS
from june_tts.types import ClonedVoice, NewVoice, RecordingReport, VoiceCard, VoiceCodes

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_REPORT_FIELDS = frozenset(field.name for field in dataclasses.fields(RecordingReport))


def described(voice: NewVoice, sha256: str, now: datetime) -> ClonedVoice:
    """What the library will say of a voice added `now` (UTC)."""
    plain = ClonedVoice(
        voice_id=voice.voice_id,
        name=voice.name,
        sha256=sha256,
        audio_bytes=len(voice.audio),
        transcript=voice.transcript,
        language=voice.language,
        report=voice.report,
        created_at=now,
        updated_at=now,
        consent=voice.consent,
        consent_by=voice.consent_by if voice.consent else None,
        consent_at=now if voice.consent else None,
    )
    return changed(plain, None, voice.card, now)


def changed(voice: ClonedVoice, name: str | None, card: VoiceCard, now: datetime) -> ClonedVoice:
    """The same voice with what is given in place of what was there."""
    return dataclasses.replace(
        voice,
        name=voice.name if name is None else name,
        description=voice.description if card.description is None else card.description or None,
        tags=voice.tags if card.tags is None else card.tags,
        visibility=card.visibility or voice.visibility,
        cover_type=card.cover.media_type if card.cover else voice.cover_type,
        updated_at=now,
    )


def to_row(voice: ClonedVoice) -> dict[str, Any]:
    """Every column but the recording and the picture."""
    row = {field.name: getattr(voice, field.name) for field in dataclasses.fields(voice)}
    row["report"] = None if voice.report is None else json.dumps(dataclasses.asdict(voice.report))
    row["tags"] = json.dumps(voice.tags)
    row["consent_at"] = naive(voice.consent_at) if voice.consent_at else None
    return row | {name: naive(row[name]) for name in ("created_at", "updated_at")}


def to_changes(name: str | None, card: VoiceCard, now: datetime) -> dict[str, Any]:
    """The columns that are given."""
    given: dict[str, Any] = {"name": name, "visibility": card.visibility, "description": card.description}
    given["tags"] = None if card.tags is None else json.dumps(card.tags)
    if card.cover:
        given |= {"cover_type": card.cover.media_type, "cover_image": card.cover.data}
    row = {column: value for column, value in given.items() if value is not None}
    return row | {"updated_at": naive(now)}


def from_row(row: Mapping[Any, Any]) -> ClonedVoice:
    """The row's sha256 and audio_bytes must be filled in already."""
    created = row["created_at"] or row["updated_at"] or _LONG_AGO
    return ClonedVoice(
        voice_id=row["voice_id"],
        name=row["name"] or row["voice_id"],
        sha256=row["sha256"],
        audio_bytes=row["audio_bytes"],
        transcript=row["transcript"],
        language=row["language"],
        report=_to_report(row["report"]),
        created_at=utc(created),
        updated_at=utc(row["updated_at"] or created),
        consent=row["consent"],
        description=row["description"] or None,
        tags=tuple(json.loads(row["tags"] or "[]")),
        visibility=row["visibility"] or "private",
        cover_type=row["cover_type"],
        consent_by=row["consent_by"],
        consent_at=utc(row["consent_at"]) if row["consent_at"] else None,
    )


def from_codes(voice_id: str, codes: VoiceCodes, now: datetime) -> dict[str, Any]:
    """A row with its columns in the order of the table."""
    packed = io.BytesIO()
    np.save(packed, codes.codes, allow_pickle=False)
    return {
        "voice_id": voice_id,
        "codec": codes.codec,
        "sha256": codes.sha256,
        "codes": packed.getvalue(),
        "transcript": codes.transcript,
        "created_at": naive(now),
    }


def to_codes(row: Mapping[Any, Any]) -> VoiceCodes | None:
    """None where what was kept cannot be read: they can be made again."""
    try:
        codes = np.load(io.BytesIO(row["codes"]), allow_pickle=False)
    except (ValueError, EOFError, OSError):
        return None
    if codes.ndim != 2 or codes.dtype != np.int32:
        return None
    return VoiceCodes(row["codec"], row["sha256"], codes, row["transcript"])


def storable(voice_id: str) -> bool:
    """Whether any database could hold this id; asking for another is an error there, not an empty answer."""
    if not 0 < len(voice_id) <= VOICE_ID_CHARS or "\x00" in voice_id:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in voice_id)


def not_found(voice_id: str) -> VoiceNotFound:
    return VoiceNotFound(f"no voice has the id {shown(voice_id)}", param="voice_id")


def exists(voice_id: str) -> VoiceExists:
    return VoiceExists(f"a voice with the id {shown(voice_id)} exists already", param="voice_id")


def _to_report(text: str | None) -> RecordingReport | None:
    """None where an older or newer version judged other things: the recording can be judged again."""
    found = json.loads(text) if text else {}
    if not found.keys() >= _REPORT_FIELDS:
        return None
    known = {name: found[name] for name in _REPORT_FIELDS}
    return RecordingReport(**known | {"advice": tuple(known["advice"])})


def naive(moment: datetime) -> datetime:
    """In UTC, as the columns without a time zone have it."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
