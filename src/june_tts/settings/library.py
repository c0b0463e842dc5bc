"""Where the voice library is."""

from pydantic import BaseModel, Field, SecretStr


class Library(BaseModel):
    database_url: SecretStr | None = Field(
        None,
        alias="DATABASE_URL",
        description="`postgresql://user:password@host:port/name`. Unset: SQLite in JUNE_DATA_DIR.",
    )
    db_host: str | None = Field(
        None, alias="DB_HOST", description="PostgreSQL host, instead of DATABASE_URL."
    )
    db_port: int = Field(5432, ge=1, le=65535, alias="DB_PORT", description="PostgreSQL port.")
    db_name: str = Field("june", alias="DB_NAME", description="PostgreSQL database.")
    db_user: str = Field("june", alias="DB_USER", description="PostgreSQL user.")
    db_password: SecretStr | None = Field(None, alias="DB_PASSWORD", description="PostgreSQL password.")
    database_seconds: float = Field(
        5.0,
        gt=0,
        le=600,
        alias="JUNE_DATABASE_SECONDS",
        description="How long a caller waits for the database, for a connection and an answer, before it is "
        "refused with 503. While it does not answer, later callers are refused at once.",
    )
