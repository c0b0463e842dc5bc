"""Engines and voices."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from june_tts.settings.parts import comma_list, comma_map, each_once


class Speech(BaseModel):
    engines: Annotated[
        tuple[Literal["piper", "kokoro", "fish", "remote", "fake"], ...],
        BeforeValidator(comma_list),
        AfterValidator(each_once),
    ] = Field(
        ("piper", "kokoro"),
        min_length=1,
        alias="JUNE_ENGINES",
        description="Engines to load, comma separated.",
    )
    default_voice: str = Field(
        "joe", alias="JUNE_DEFAULT_VOICE", description="Spoken where a request names `default` or no voice."
    )
    voice_aliases: Annotated[dict[str, str], BeforeValidator(comma_map)] = Field(
        default_factory=dict,
        alias="JUNE_VOICE_ALIASES",
        description="Other names for voices, `alloy=joe,nova=jf_alpha`. OpenAI's 13 names and the voices "
        "that clients of Fish Audio and ElevenLabs ask for by themselves speak the default voice unless they "
        "are listed.",
    )
    lanes: int = Field(
        0,
        ge=0,
        le=64,
        alias="JUNE_LANES",
        description="Model runs at a time on the CPU; 0: one per core.",
    )
    threads: int = Field(
        0,
        ge=0,
        le=256,
        alias="JUNE_THREADS",
        description="Threads of a model run that has the machine to itself; 0: up to 4.",
    )
    max_streams: int = Field(
        64,
        ge=1,
        alias="JUNE_MAX_STREAMS",
        description="Streams served at once. What an engine carries is learned, and may be fewer.",
    )
    ahead_seconds: float = Field(
        8.0, gt=0, le=120, alias="JUNE_AHEAD_SECONDS",
        description="Audio made ahead of what the client has taken, per stream, in seconds.",
    )  # fmt: skip
