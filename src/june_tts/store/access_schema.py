"""The tables of keys, their use and the audit log, as the newest migration leaves them."""

from sqlalchemy import BigInteger, Column, Date, DateTime, Float, Integer, MetaData, String, Table, Text

_tables = MetaData()

keys = Table(
    "tts_keys",
    _tables,
    Column("key_id", String(12), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("sha256", String(64), nullable=False),
    # JSON lists and objects
    Column("scopes", Text, nullable=False),
    Column("limits", Text, nullable=False),
    # without time zone, in UTC, as everywhere in this database
    Column("created_at", DateTime, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("expires_at", DateTime),
    Column("revoked_at", DateTime),
    Column("revision", BigInteger, nullable=False),
)

key_revision = Table(
    "tts_key_revision",
    _tables,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)

usage = Table(
    "tts_usage",
    _tables,
    Column("key_id", String(64), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("requests", BigInteger, nullable=False),
    Column("characters", BigInteger, nullable=False),
    Column("audio_seconds", Float, nullable=False),
)

audit = Table(
    "tts_audit",
    _tables,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", DateTime, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("outcome", String(40), nullable=False),
)
