"""Jobs: long texts, the pieces spoken of them, and what became of them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

# SQLite counts up by itself in columns of this very type alone
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "tts_jobs",
        sa.Column("number", _NUMBER, primary_key=True),
        sa.Column("job_id", sa.String(32), nullable=False, unique=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("title", sa.String(200)),
        sa.Column("speech", sa.Text, nullable=False),
        sa.Column("format", sa.String(10), nullable=False),
        sa.Column("sample_rate", sa.Integer),
        sa.Column("characters", sa.Integer, nullable=False),
        sa.Column("spoken", sa.Integer, nullable=False),
        sa.Column("pieces", sa.Integer, nullable=False),
        sa.Column("piece_rate", sa.Integer),
        sa.Column("samples", sa.BigInteger, nullable=False),
        sa.Column("audio_bytes", sa.BigInteger),
        *(
            sa.Column(name, sa.Float(53), nullable=name != "created_at")
            for name in ("created_at", "started_at", "ended_at", "served_at")
        ),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("holder", sa.String(64)),
        sa.Column("held_until", sa.Float(53)),
        sa.Column("failure", sa.Text),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("tts_jobs_open", "tts_jobs", ["state", "number"])
    op.create_index("tts_jobs_owned", "tts_jobs", ["owner", "number"])
    _part("tts_job_pieces", "pcm")
    _part("tts_job_audio", "data")


def _part(name: str, data: str) -> None:
    op.create_table(
        name,
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("job", sa.BigInteger, sa.ForeignKey("tts_jobs.number", ondelete="CASCADE"), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column(data, sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("job", "number"),
    )
