"""How often each voice was spoken, and what this library is called among those that share a Redis."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "tts_voice_uses",
        # no foreign key: built-in voices are spoken, too
        sa.Column("voice_id", sa.String(100), primary_key=True),
        sa.Column("uses", sa.BigInteger, nullable=False),
        sa.Column("last_used", sa.DateTime, nullable=False),
    )
    library = op.create_table("tts_library", sa.Column("name", sa.String(32), primary_key=True))
    op.bulk_insert(library, [{"name": secrets.token_hex(8)}])
