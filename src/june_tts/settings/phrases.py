"""What is kept of speech that was made."""

from pathlib import Path

from pydantic import BaseModel, Field


class KeptPhrases(BaseModel):
    phrase_mb: float = Field(
        64.0,
        ge=0,
        le=1_048_576,
        alias="JUNE_PHRASE_MB",
        description="Memory for phrases that were spoken before, in MB; 0: none is kept.",
    )
    phrase_kb: int = Field(
        1024,
        ge=1,
        le=1_048_576,
        alias="JUNE_PHRASE_KB",
        description="Largest phrase that is kept, encoded, in KB.",
    )
    phrase_seconds: float = Field(
        86_400.0,
        gt=0,
        le=31_536_000,
        alias="JUNE_PHRASE_SECONDS",
        description="How long a phrase is kept after it was made, in memory and in Redis.",
    )
    phrase_random: bool = Field(
        False,
        alias="JUNE_PHRASE_RANDOM",
        description="Keep phrases, too, that would sound a little different each time: those of Piper, and "
        "of cloned voices without a seed.",
    )
    phrases_file: Path | None = Field(
        None,
        alias="JUNE_PHRASES",
        description="File of phrases to make at start and to keep, one a line: a text, or a JSON object with "
        "`text`, `voice`, `format`.",
    )
