"""The tables of the voice library, as the newest migration leaves them."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    Text,
    column,
    select,
    text,
)

VOICE_ID_CHARS = 100

_tables = MetaData()

voices = Table(
    "tts_voices",
    _tables,
    # The first six are the table of the service that came before, to the letter.
    Column("id", Integer, primary_key=True),
    Column("voice_id", String(VOICE_ID_CHARS), nullable=False, unique=True),
    Column("name", String(255)),
    Column("audio_data", LargeBinary, nullable=False),
    # without time zone; june-tts writes UTC and reads what it finds as UTC
    Column("created_at", DateTime),
    Column("updated_at", DateTime),
    # All nullable: that service may still insert rows beside us, and knows none of them.
    Column("sha256", String(64)),
    Column("audio_bytes", BigInteger),
    Column("transcript", Text),
    Column("language", String(35)),
    Column("consent", Text),
    # Text, not a JSON type: PostgreSQL's has no infinity, and a level in dBFS may be one.
    Column("report", Text),
    Column("description", Text),
    # a JSON list
    Column("tags", Text),
    Column("visibility", String(10)),
    Column("cover_type", String(40)),
    Column("cover_image", LargeBinary),
    Column("consent_by", String(64)),
    Column("consent_at", DateTime),
)

voice_codes = Table(
    "tts_voice_codes",
    _tables,
    # removed by the database itself with their voice, whoever removes that: they are that person's voice too
    Column(
        "voice_id", ForeignKey(voices.c.voice_id, ondelete="CASCADE", onupdate="CASCADE"), primary_key=True
    ),
    Column("codec", String(200), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("codes", LargeBinary, nullable=False),
    Column("transcript", Text),
    Column("created_at", DateTime, nullable=False),
)

voice_uses = Table(
    "tts_voice_uses",
    _tables,
    # no foreign key: built-in voices are spoken, too
    Column("voice_id", String(VOICE_ID_CHARS), primary_key=True),
    Column("uses", BigInteger, nullable=False),
    Column("last_used", DateTime, nullable=False),
)

library = Table("tts_library", _tables, Column("name", String(32), primary_key=True))

_SOURCE = {
    # SQLite reads a whole recording to come to the columns behind it, unless told of the index that has
    # all the others: a list of 30 voices of 1 MB takes 1 ms instead of 22.
    "sqlite": "tts_voices INDEXED BY tts_voices_described",
    "postgresql": "tts_voices",
}


def descriptions(dialect: str) -> Select[Any]:
    """Everything but the recordings and pictures, which may be megabytes each."""
    wanted = (column(c.name, c.type) for c in voices.columns if not isinstance(c.type, LargeBinary))
    return select(*wanted).select_from(text(_SOURCE[dialect]))
