"""The messages of ElevenLabs' WebSockets, all of them JSON in text.

To the server: `{"text", "context_id", "flush", "voice_settings", "close_context", …}`. From it:
`{"audio", "alignment", "normalizedAlignment", "contextId"}` …, at last `{"isFinal": true}`; a refusal is
`{"message", "error", "code"}`, which is where its clients look. A context's id comes under both names that
its API has had.
"""

import base64
import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from june_tts.errors import InvalidRequest, JuneError
from june_tts.http.elevenlabs_schema import Normalization, VoiceSettings
from june_tts.http.errors import refusal
from june_tts.http.live_socket import AGAIN, FAILED, TOO_MUCH

MOST_QUIET_SECONDS = 3600
Length = Annotated[float, Field(ge=1, le=10_000, allow_inf_nan=False)]


class LiveQuery(BaseModel):
    """What a handshake may ask for; unknown parameters are ignored."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    model_id: str | None = Field(None, max_length=200)
    language_code: str | None = Field(None, max_length=40)
    output_format: str = Field("mp3_44100_128", max_length=40)
    inactivity_timeout: float = Field(20.0, ge=1, le=MOST_QUIET_SECONDS, allow_inf_nan=False)
    """Seconds."""
    auto_mode: bool = False
    sync_alignment: bool = False
    seed: int | None = Field(None, ge=0, lt=2**32)
    apply_text_normalization: Normalization = "auto"
    apply_language_text_normalization: bool = False
    enable_ssml_parsing: bool = False
    enable_logging: bool = True
    optimize_streaming_latency: int | None = Field(None, ge=0, le=4)


class GenerationConfig(BaseModel):
    """When to begin: a hint without effect, as speech begins at the first clause's end."""

    model_config = ConfigDict(extra="ignore")

    chunk_length_schedule: list[Length] | None = Field(None, max_length=64)


class Frame(BaseModel):
    """One message of a client."""

    model_config = ConfigDict(extra="ignore")

    text: str | None = None
    context_id: str | None = Field(
        None, max_length=200, validation_alias=AliasChoices("context_id", "contextId")
    )
    flush: bool = Field(False, strict=True)
    close_context: bool = Field(False, strict=True)
    close_socket: bool = Field(False, strict=True)
    try_trigger_generation: bool = Field(False, strict=True)
    voice_settings: VoiceSettings | None = None
    generation_config: GenerationConfig | None = Field(
        None, validation_alias=AliasChoices("generation_config", "generator_config")
    )
    pronunciation_dictionary_locators: list[Any] | None = Field(None, max_length=0)


def read_frame(message: str | bytes) -> Frame:
    """Raises: InvalidRequest, naming the field, its value and what was expected."""
    if isinstance(message, bytes):
        raise InvalidRequest("the message is binary: expected JSON in a text message")
    try:
        found = json.loads(message)
    except (ValueError, RecursionError) as bad:
        raise InvalidRequest(f"the message cannot be read as JSON ({type(bad).__name__})") from None
    if not isinstance(found, dict):
        raise InvalidRequest(f"the message is a {type(found).__name__}: expected an object")
    try:
        return Frame.model_validate({name: value for name, value in found.items() if value is not None})
    except ValidationError as bad:
        raise refusal(bad) from None


def read_query(query: dict[str, str]) -> LiveQuery:
    """Raises: InvalidRequest."""
    try:
        return LiveQuery.model_validate(query)
    except ValidationError as bad:
        raise refusal(bad) from None


Alignment = dict[str, object] | None


def audio_frame(audio: bytes, alignment: Alignment, context_id: str | None) -> str:
    sound = base64.b64encode(audio).decode("ascii")
    said = {"audio": sound, "isFinal": None, "alignment": alignment, "normalizedAlignment": alignment}
    return _packed(said, context_id)


def final_frame(context_id: str | None) -> str:
    said = {"audio": None, "isFinal": True, "alignment": None, "normalizedAlignment": None}
    return _packed(said, context_id)


def error_frame(error: JuneError, context_id: str | None) -> str:
    return _packed({"message": str(error), "error": error.code, "code": close_code(error)}, context_id)


def close_code(error: JuneError) -> int:
    """Of a socket that ends with this error."""
    if isinstance(error, InvalidRequest):
        return TOO_MUCH
    return AGAIN if error.code == "overloaded" else FAILED


def _packed(said: Mapping[str, object], context_id: str | None) -> str:
    named = {} if context_id is None else {"contextId": context_id, "context_id": context_id}
    return json.dumps({**said, **named}, separators=(",", ":"))
