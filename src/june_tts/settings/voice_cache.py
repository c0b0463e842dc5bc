"""What is kept of voices near the engines."""

from pydantic import BaseModel, Field


class VoiceCache(BaseModel):
    voice_cache_mb: int = Field(
        64,
        ge=1,
        le=1_000_000,
        alias="JUNE_VOICE_CACHE_MB",
        description="Memory for cloned voices: what is told of them, recordings and codes. A recording that "
        "takes more than a quarter of it is read each time.",
    )
    voice_cache_seconds: float = Field(
        3600.0,
        gt=0,
        le=31_536_000,
        alias="JUNE_VOICE_CACHE_SECONDS",
        description="What nobody asks for in this time leaves memory. Redis keeps it 24 times as long.",
    )
    warm_voices: int = Field(
        5,
        ge=0,
        le=1000,
        alias="JUNE_WARM_VOICES",
        description="Cloned voices that are made ready at start, the most used ones; 10 seconds at most.",
    )
