"""The queue in front of the engines."""

from pydantic import BaseModel, Field


class Queueing(BaseModel):
    queue: int = Field(
        256,
        ge=0,
        le=10_000,
        alias="JUNE_QUEUE",
        description="Requests that may wait for a place to speak, all classes together; 0: none waits.",
    )
    queue_seconds: float = Field(
        0.5,
        ge=0,
        le=600,
        alias="JUNE_QUEUE_SECONDS",
        description="The longest that an interactive request may wait for its place. One that would wait "
        "longer is refused with 503 at once; a caller who keeps asking for more than there is, after 20 ms.",
    )
    queue_normal_seconds: float = Field(
        5.0,
        ge=0,
        le=3600,
        alias="JUNE_QUEUE_NORMAL_SECONDS",
        description="The same for requests of the class normal (`X-Priority: normal`), and for what is said "
        "in rooms.",
    )
    queue_batch_seconds: float = Field(
        120.0,
        ge=0,
        le=86_400,
        alias="JUNE_QUEUE_BATCH_SECONDS",
        description="The same for requests of the class batch.",
    )
    deadline_ms: int = Field(
        0,
        ge=0,
        le=3_600_000,
        alias="JUNE_DEADLINE_MS",
        description="How long after a request its first audio is worth anything, where it says nothing "
        "itself (`X-Request-Deadline-Ms`), in milliseconds; 0: however late.",
    )
