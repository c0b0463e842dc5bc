"""What Fish's API says and hears: the fields of fish-speech 0.1.0, of its later releases, and of Fish Audio's
service.

Unknown fields are ignored, as there: clients of one release talk to servers of another.
"""

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MOST_REFERENCES = 16
MOST_SPEAKERS = 16
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


def _with_nulls(schema: dict[str, Any]) -> None:
    """The document says so, too, of every field that may be left out."""
    about = ("default", "description", "title")
    for name, field in schema["properties"].items():
        if name not in schema.get("required", ()) and {"type": "null"} not in field.get("anyOf", ()):
            plain = {key: value for key, value in field.items() if key not in about}
            schema["properties"][name] = {key: field[key] for key in about if key in field} | {
                "anyOf": [plain, {"type": "null"}]
            }


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore", json_schema_extra=_with_nulls)

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


VoiceFormat = Literal["wav", "pcm", "mp3", "opus", "flac"]
MP3_KBITS = (64, 128, 192)
OPUS_KBITS = (24, 32, 48, 64)
AUTOMATIC = -1000
"""`opus_bitrate` that leaves the choice to the encoder."""


def _bits(kbits: tuple[int, ...]) -> Callable[[int], int]:
    """In bits per second: clients send one and the other."""

    def checked(value: int) -> int:
        bits = value if value >= 1000 else value * 1000
        if not kbits[0] * 1000 <= bits <= kbits[-1] * 1000:
            names = ", ".join(map(str, kbits))
            raise ValueError(f"Input should be {names} kbit/s, or as many thousand bit/s")
        return bits

    return checked


def _opus_bits(value: int) -> int | None:
    return None if value == AUTOMATIC else _bits(OPUS_KBITS)(value)


def _one_or_more(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _by_speaker(value: object) -> object:
    """A plain list has the recordings of one speaker; Fish Audio takes a list for each speaker, too."""
    flat = isinstance(value, list) and not any(isinstance(one, list) for one in value)
    return [value] if flat and value else value


Recordings = Annotated[list[ReferenceBody], Field(min_length=1, max_length=MOST_REFERENCES)]
BySpeaker = Annotated[
    list[Recordings],
    BeforeValidator(_by_speaker, json_schema_input_type=list[ReferenceBody] | list[Recordings]),
]
LibraryId = Annotated[str, Field(min_length=1, max_length=ID_CHARS)]
LibraryIds = Annotated[
    list[LibraryId], BeforeValidator(_one_or_more, json_schema_input_type=LibraryId | list[LibraryId])
]
Mp3Bits = Annotated[int, Field(strict=True), AfterValidator(_bits(MP3_KBITS))]
OpusBits = Annotated[int, Field(strict=True), AfterValidator(_opus_bits)]


class ProsodyBody(_Body):
    """How it is spoken."""

    speed: float = Field(1.0, strict=True, ge=0.5, le=2.0, allow_inf_nan=False, description="Tempo.")
    volume: float = Field(0.0, strict=True, ge=-20.0, le=20.0, allow_inf_nan=False, description="In dB.")
    normalize_loudness: Any = Field(None, description="No effect.")


class TTSBody(_Body):
    text: str = Field(description="The text to speak.", examples=["Good morning."])
    chunk_length: int = Field(200, ge=0, le=1000, description="Longest piece; 0: the engine's own limit.")
    format: VoiceFormat | None = Field(None, description="Of the reply. mp3, or wav in fish-speech's place.")
    sample_rate: int | None = Field(
        None, strict=True, ge=8_000, le=192_000, description="Hz; absent: 44100, for opus 48000."
    )
    mp3_bitrate: Mp3Bits | None = Field(
        None, description="64, 128 or 192 kbit/s, or the same in bit/s; absent: for speech."
    )
    opus_bitrate: OpusBits | None = Field(
        None, description="24, 32, 48 or 64 kbit/s, or the same in bit/s; -1000 or absent: for speech."
    )
    prosody: ProsodyBody = Field(
        default_factory=lambda: ProsodyBody.model_validate({}), description="Tempo and volume."
    )
    references: BySpeaker = Field(
        default_factory=list, max_length=MOST_SPEAKERS, description="Recordings to speak like."
    )
    reference_id: LibraryIds = Field(
        default_factory=list, max_length=MOST_SPEAKERS, description="A voice; goes before `references`."
    )
    seed: int | None = Field(None, strict=True, ge=0, lt=2**63, description="Same seed, same speech.")
    use_memory_cache: Literal["on", "off"] = Field("off", description="No effect: codes are always kept.")
    normalize: bool = Field(True, description="Numbers and the like into words; false: as it stands.")
    streaming: bool | None = Field(
        None, description="Send the audio while it is being made. true, or false in fish-speech's place."
    )
    max_new_tokens: int = Field(1024, strict=True, ge=0, le=2**20, description="Frames a piece; 0: no limit.")
    top_p: float = Field(0.8, strict=True, ge=0.0, le=1.0, allow_inf_nan=False, description="Sampling.")
    repetition_penalty: float = Field(
        1.1, strict=True, ge=0.9, le=2.0, allow_inf_nan=False, description="Sampling."
    )
    temperature: float = Field(0.8, strict=True, ge=0.0, le=1.0, allow_inf_nan=False, description="Sampling.")
    latency: Literal["normal", "balanced", "low"] = Field(
        "normal", description="No effect: first audio is always sent at once."
    )
    min_chunk_length: Any = Field(None, description="No effect.")
    condition_on_previous_chunks: Any = Field(None, description="No effect.")
    early_stop_threshold: Any = Field(None, description="No effect.")
    features: Any = Field(None, description="No effect.")


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
