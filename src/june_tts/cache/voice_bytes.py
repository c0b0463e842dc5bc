"""Descriptions and codes of voices as bytes, for Redis."""

import hashlib
import io
import json
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

import numpy as np

from june_tts.types import ClonedVoice, RecordingReport, VoiceCodes

_MOMENTS = tuple(field.name for field in fields(ClonedVoice) if "datetime" in str(field.type))
_LAYOUT = ",".join(field.name for kind in (ClonedVoice, RecordingReport) for field in fields(kind))
LAYOUT = hashlib.sha256(_LAYOUT.encode()).hexdigest()[:8]
"""Names the fields: two versions of june-tts beside each other do not read each other's descriptions."""


def described(voice: ClonedVoice) -> bytes:
    found = asdict(voice)
    for name in _MOMENTS:
        found[name] = found[name] and found[name].isoformat()
    return json.dumps(found, ensure_ascii=False).encode()


def to_description(data: bytes) -> ClonedVoice | None:
    """None for what is none: it can be read from the library again."""
    try:
        found: dict[str, Any] = json.loads(data)
        report = found["report"]
        if report is not None:
            found["report"] = RecordingReport(**report | {"advice": tuple(report["advice"])})
        for name in _MOMENTS:
            found[name] = found[name] and datetime.fromisoformat(found[name])
        return ClonedVoice(**found | {"tags": tuple(found["tags"])})
    except (ValueError, TypeError, KeyError):
        return None


def packed(codes: VoiceCodes) -> bytes:
    """The transcript as JSON in a line, then the array."""
    file = io.BytesIO()
    np.save(file, codes.codes, allow_pickle=False)
    return json.dumps(codes.transcript).encode() + b"\n" + file.getvalue()


def to_codes(data: bytes, codec: str, sha256: str) -> VoiceCodes | None:
    """None for what are none."""
    line, _, array = data.partition(b"\n")
    try:
        transcript = json.loads(line)
        codes = np.load(io.BytesIO(array), allow_pickle=False)
    except (ValueError, EOFError, OSError):
        return None
    if codes.ndim != 2 or codes.dtype != np.int32 or not isinstance(transcript, str | None):
        return None
    return VoiceCodes(codec, sha256, codes, transcript)
