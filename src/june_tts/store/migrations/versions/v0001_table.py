"""The table of the service that june-tts replaces; where it is there already, it is adopted as it is."""

import sqlalchemy as sa
from alembic import op

from june_tts.errors import StoreUnavailable

revision = "0001"
down_revision = None

_NEEDED = frozenset({"id", "voice_id", "name", "audio_data", "created_at", "updated_at"})


def upgrade() -> None:
    found = sa.inspect(op.get_bind())
    if not found.has_table("tts_voices"):
        return _create()
    missing = _NEEDED - {column["name"] for column in found.get_columns("tts_voices")}
    if missing:
        raise StoreUnavailable(
            f"the table tts_voices cannot be adopted: it has no {', '.join(sorted(missing))}"
        )


def _create() -> None:
    now = "timezone('utc', now())" if op.get_bind().dialect.name == "postgresql" else "CURRENT_TIMESTAMP"
    op.create_table(
        "tts_voices",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("voice_id", sa.String(100), nullable=False, unique=True),
        sa.Column("name", sa.String(255)),
        sa.Column("audio_data", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.DateTime, server_default=sa.text(now)),
        sa.Column("updated_at", sa.DateTime, server_default=sa.text(now)),
    )
