"""The one table of the voice library, as the newest migration leaves it."""

from sqlalchemy import BigInteger, Column, DateTime, Integer, LargeBinary, MetaData, String, Table, Text

VOICE_ID_CHARS = 100

voices = Table(
    "tts_voices",
    MetaData(),
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
)

without_audio = tuple(column for column in voices.columns if column.name != "audio_data")
"""Everything but the recording: megabytes that a list must never load."""
