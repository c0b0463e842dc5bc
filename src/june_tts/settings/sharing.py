"""What replicas share."""

from pydantic import BaseModel, Field, SecretStr


class Sharing(BaseModel):
    redis_url: SecretStr | None = Field(
        None,
        alias="REDIS_URL",
        description="`redis://user:password@host:port/0`, or `rediss://` for TLS: what replicas share. "
        "Unset: each has memory alone, and asks the database whether a voice has changed.",
    )
    redis_timeout_ms: float = Field(
        100.0,
        gt=0,
        le=10_000,
        alias="JUNE_REDIS_TIMEOUT_MS",
        description="How long a call to Redis may take, in milliseconds; then it goes on without.",
    )
