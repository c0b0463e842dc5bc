"""What Fish's API says and hears: the fields of fish-speech 0.1.0 and of its later releases.

Unknown fields are ignored, as there: clients of one release talk to servers of another.
"""

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MOST_REFERENCES = 16
MOST_BATCH = 64
"""Recordings or codes of one call."""
MOST_FRAMES = 4096
"""Of one recording, 190 s: where the published codec's tables end."""
MOST_TRANSCRIPT = 5_000
ID = r"^[a-zA-Z0-9\-_ ]+$"
ID_CHARS = 255


def _bytes(value: object) -> object:
    """JSON has no bytes: base64, with or without what a data URL has in front."""
    if not isinstance(value, str):
        return value
    text = value.partition(",")[2] if value.startswith("data:") else value
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("Input should be base64") from None


Audio = Annotated[bytes, BeforeValidator(_bytes)]
VoiceId = Annotated[str, Field(min_length=1, max_length=ID_CHARS, pattern=ID)]
Row = Annotated[list[Annotated[int, Field(strict=True)]], Field(max_length=MOST_FRAMES)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, fields: Any) -> Any:
        """Clients send null for what they do not set."""
        if not isinstance(fields, dict):
            return fields
        return {name: value for name, value in fields.items() if value is not None}


class ReferenceBody(BaseModel):
    """A recording to speak like."""

    audio: Audio = Field(description="A recording; in JSON as base64.")
    text: str = Field(max_length=MOST_TRANSCRIPT, description="The words that are spoken in it.")


class TTSBody(_Body):
    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"examples": [{"text": "Good morning.", "format": "wav", "streaming": True}]},
    )

    text: str = Field(description="The text to speak.")
    chunk_length: int = Field(200, ge=0, le=1000, description="Longest piece; 0: the engine's own limit.")
    format: Literal["wav", "pcm", "mp3", "opus", "flac"] = Field("wav", description="Of the reply.")
    references: list[ReferenceBody] = Field(
        default_factory=list, max_length=MOST_REFERENCES, description="Recordings to speak like."
    )
    reference_id: str | None = Field(
        None, min_length=1, max_length=ID_CHARS, description="A voice; goes before `references`."
    )
    seed: int | None = Field(None, strict=True, ge=0, lt=2**63, description="Same seed, same speech.")
    use_memory_cache: Literal["on", "off"] = Field("off", description="No effect: codes are always kept.")
    normalize: bool = Field(True, description="Numbers and the like into words; false: as it stands.")
    streaming: bool = Field(False, description="Send the audio while it is being made.")
    max_new_tokens: int = Field(1024, strict=True, ge=0, le=2**20, description="Frames a piece; 0: no limit.")
    top_p: float = Field(0.8, strict=True, ge=0.1, le=1.0, allow_inf_nan=False, description="Sampling.")
    repetition_penalty: float = Field(
        1.1, strict=True, ge=0.9, le=2.0, allow_inf_nan=False, description="Sampling."
    )
    temperature: float = Field(0.8, strict=True, ge=0.1, le=1.0, allow_inf_nan=False, description="Sampling.")
    latency: Literal["normal", "balanced", "low"] = Field(
        "normal", description="No effect: first audio is always sent at once."
    )


class EncodeBody(_Body):
    audios: list[Audio] = Field(max_length=MOST_BATCH, description="Recordings; in JSON as base64.")


class DecodeBody(_Body):
    tokens: list[Annotated[list[Row], Field(min_length=1, max_length=64)]] = Field(
        max_length=MOST_BATCH, description="Codes, one list of rows (codebooks) for each recording."
    )


class AddBody(_Body):
    id: VoiceId = Field(description="Letters, digits, `-`, `_` and blanks.")
    audio: Audio = Field(description="A recording; in JSON as base64.")
    text: str = Field(min_length=1, max_length=MOST_TRANSCRIPT, description="The words spoken in it.")


class DeleteBody(_Body):
    reference_id: VoiceId = Field(description="The voice to remove.")


class UpdateBody(_Body):
    old_reference_id: VoiceId = Field(description="The voice.")
    new_reference_id: VoiceId = Field(description="Its new id.")
