"""API keys, what they were used for, who changed what, and who stated a speaker's consent when."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_DESCRIBED = (
    *("voice_id", "id", "name", "created_at", "updated_at"),
    *("sha256", "audio_bytes", "transcript", "language", "consent", "report"),
    *("description", "tags", "visibility", "cover_type"),
)


def upgrade() -> None:
    _keys()
    op.create_table(
        "tts_usage",
        sa.Column("key_id", sa.String(64), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("characters", sa.BigInteger, nullable=False),
        sa.Column("audio_seconds", sa.Float, nullable=False),
    )
    op.create_table(
        "tts_audit",
        # SQLite counts up by itself in columns of this very type alone
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False, index=True),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(300), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("outcome", sa.String(40), nullable=False),
    )
    _consent()


def _keys() -> None:
    op.create_table(
        "tts_keys",
        sa.Column("key_id", sa.String(12), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("limits", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.DateTime),
        sa.Column("revoked_at", sa.DateTime),
        sa.Column("revision", sa.BigInteger, nullable=False, index=True),
    )
    # one row, whose lock puts changes in an order: a reader that has seen revision 7 missed none before it
    revision = op.create_table(
        "tts_key_revision",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(revision, [{"id": 1, "revision": 0}])


def _consent() -> None:
    op.add_column("tts_voices", sa.Column("consent_by", sa.String(64), nullable=True))
    op.add_column("tts_voices", sa.Column("consent_at", sa.DateTime, nullable=True))
    if op.get_bind().dialect.name == "sqlite":
        # store/schema.py says what for: it has to hold every column that is read with it
        op.drop_index("tts_voices_described", "tts_voices")
        op.create_index("tts_voices_described", "tts_voices", [*_DESCRIBED, "consent_by", "consent_at"])
