"""Recordings in the codes of a codec, so that an engine that clones need not encode them again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "tts_voice_codes",
        sa.Column("voice_id", sa.String(100), nullable=False),
        sa.Column("codec", sa.String(200), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("codes", sa.LargeBinary, nullable=False),
        sa.Column("transcript", sa.Text),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("voice_id", "codec"),
        # store/schema.py says what for
        sa.ForeignKeyConstraint(
            ["voice_id"], ["tts_voices.voice_id"], ondelete="CASCADE", onupdate="CASCADE"
        ),
    )
