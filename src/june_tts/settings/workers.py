"""How many processes serve."""

from pydantic import BaseModel, Field


class Workers(BaseModel):
    workers: int = Field(
        1,
        ge=1,
        le=64,
        alias="JUNE_WORKERS",
        description="Processes that serve on the one port. With more than one, the engines are in a process "
        "of their own, which all share; rooms need 1.",
    )
