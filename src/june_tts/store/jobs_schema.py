"""The tables of jobs, as the newest migration leaves them."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

tables = MetaData()

# SQLite counts up by itself in columns of this very type alone
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

jobs = Table(
    "tts_jobs",
    tables,
    Column("number", _NUMBER, primary_key=True),
    Column("job_id", String(32), nullable=False, unique=True),
    Column("owner", String(64), nullable=False),
    # a JobState, or `removed`: nobody sees it any more, and what it kept is being deleted
    Column("state", String(10), nullable=False),
    Column("title", String(200)),
    # JSON: how to speak
    Column("speech", Text, nullable=False),
    Column("format", String(10), nullable=False),
    Column("sample_rate", Integer),
    Column("characters", Integer, nullable=False),
    Column("spoken", Integer, nullable=False),
    Column("pieces", Integer, nullable=False),
    Column("piece_rate", Integer),
    Column("samples", BigInteger, nullable=False),
    Column("audio_bytes", BigInteger),
    # times in seconds since 1970, by the database's own clock: those of replicas may disagree
    Column("created_at", Float(53), nullable=False),
    Column("started_at", Float(53)),
    Column("ended_at", Float(53)),
    # when it was handed out last, for taking turns between callers
    Column("served_at", Float(53)),
    Column("tries", Integer, nullable=False),
    Column("holder", String(64)),
    Column("held_until", Float(53)),
    Column("failure", Text),
    # the last one: SQLite reads a row up to the column that is asked for. Empty once the job has ended.
    Column("text", Text, nullable=False),
    Index("tts_jobs_open", "state", "number"),
    Index("tts_jobs_owned", "owner", "number"),
)


def _part(name: str, data: str) -> Table:
    return Table(
        name,
        tables,
        Column("id", _NUMBER, primary_key=True),
        Column("job", ForeignKey(jobs.c.number, ondelete="CASCADE"), nullable=False),
        Column("number", Integer, nullable=False),
        Column(data, LargeBinary, nullable=False),
        UniqueConstraint("job", "number"),
    )


pieces = _part("tts_job_pieces", "pcm")
"""What was spoken, piece by piece, until the job has ended."""
audio = _part("tts_job_audio", "data")
"""The result in blocks of BLOCK_BYTES, the last one shorter."""
