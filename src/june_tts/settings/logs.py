"""What is logged."""

from typing import Literal

from pydantic import BaseModel, Field


class Logs(BaseModel):
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", alias="JUNE_LOG_LEVEL", description="Least severe level that is logged."
    )
    log_format: Literal["console", "json"] = Field(
        "console", alias="JUNE_LOG_FORMAT", description="Lines for people or JSON objects for machines."
    )
