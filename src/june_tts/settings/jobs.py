"""Long texts that are spoken while nobody waits."""

from pydantic import BaseModel, Field


class Jobs(BaseModel):
    job_chars: int = Field(
        1_000_000,
        ge=1,
        le=100_000_000,
        alias="JUNE_JOB_CHARS",
        description="Longest text of one job, in characters; JUNE_MAX_UPLOAD_BYTES has to have room for it.",
    )
    jobs_at_once: int = Field(
        1,
        ge=0,
        le=64,
        alias="JUNE_JOBS_AT_ONCE",
        description="Jobs that this server works on at a time; 0: others with its database do.",
    )
    jobs_waiting: int = Field(
        100,
        ge=1,
        le=100_000,
        alias="JUNE_JOBS_WAITING",
        description="Jobs of one caller that wait or run; one more gets 503.",
    )
    jobs_kept: int = Field(
        1000,
        ge=1,
        le=100_000,
        alias="JUNE_JOBS_KEPT",
        description="Ended jobs of one caller that are kept with their audio; the oldest go first.",
    )
    job_keep_hours: float = Field(
        168.0,
        gt=0,
        le=87_600,
        alias="JUNE_JOB_KEEP_HOURS",
        description="How long a job and its audio are kept after its end.",
    )
    job_hold_seconds: float = Field(
        15.0,
        ge=1,
        le=3600,
        alias="JUNE_JOB_HOLD_SECONDS",
        description="After a server's last word on a job another one takes it over. The same for all.",
    )
