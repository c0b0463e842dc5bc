"""What june-tts knows of a recording beyond its bytes."""

import hashlib
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_voices = sa.table("tts_voices", *map(sa.column, ("voice_id", "audio_data", "sha256", "audio_bytes")))


_NEW: dict[str, sa.types.TypeEngine[Any]] = {
    "sha256": sa.String(64),
    "audio_bytes": sa.BigInteger(),
    "transcript": sa.Text(),
    "language": sa.String(35),
    "consent": sa.Text(),
    "report": sa.Text(),
}

_TIMES = ("created_at", "updated_at")


def upgrade() -> None:
    for name, kind in _NEW.items():
        op.add_column("tts_voices", sa.Column(name, kind, nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        # store/schema.py says what for
        op.create_index("tts_voices_described", "tts_voices", ["voice_id", "id", "name", *_TIMES, *_NEW])
    _hash_what_is_there(op.get_bind())


def _hash_what_is_there(connection: sa.Connection) -> None:
    """One recording in memory at a time: together they may be larger than the machine."""
    for voice_id in connection.scalars(sa.select(_voices.c.voice_id)).all():
        here = _voices.c.voice_id == voice_id
        audio = bytes(connection.execute(sa.select(_voices.c.audio_data).where(here)).scalar_one())
        digest = hashlib.sha256(audio).hexdigest()
        connection.execute(_voices.update().where(here).values(sha256=digest, audio_bytes=len(audio)))
