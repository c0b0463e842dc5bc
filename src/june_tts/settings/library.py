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
