"""What people read and see of a voice: description, tags, visibility, picture."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NEW: dict[str, sa.types.TypeEngine[Any]] = {
    "description": sa.Text(),
    "tags": sa.Text(),
    "visibility": sa.String(10),
    "cover_type": sa.String(40),
}
_THERE = (
    *("voice_id", "id", "name", "created_at", "updated_at"),
    *("sha256", "audio_bytes", "transcript", "language", "consent", "report"),
)


def upgrade() -> None:
    for name, kind in _NEW.items():
        op.add_column("tts_voices", sa.Column(name, kind, nullable=True))
    op.add_column("tts_voices", sa.Column("cover_image", sa.LargeBinary, nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        # store/schema.py says what for: it has to hold every column that is read with it
        op.drop_index("tts_voices_described", "tts_voices")
        op.create_index("tts_voices_described", "tts_voices", [*_THERE, *_NEW])
