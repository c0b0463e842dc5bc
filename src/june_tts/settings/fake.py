"""The engine without a model."""

from pydantic import BaseModel, Field


class Fake(BaseModel):
    fake_step_seconds: float = Field(
        0.0,
        ge=0,
        le=60,
        alias="JUNE_FAKE_STEP_SECONDS",
        description="How long the engine `fake` takes for 80 ms of its tone, to try what a slow engine does.",
    )
    fake_clones: bool = Field(
        False,
        alias="JUNE_FAKE_CLONES",
        description="Let it speak cloned voices, too: a tone for each recording, to try replicas and caches.",
    )
