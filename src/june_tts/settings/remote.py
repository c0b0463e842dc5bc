"""Servers that speak for this one."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, SecretStr

from june_tts.settings.parts import addresses, comma_list, comma_map, each_once


class Remote(BaseModel):
    remote_urls: Annotated[
        tuple[str, ...], BeforeValidator(comma_list), AfterValidator(addresses), AfterValidator(each_once)
    ] = Field(
        (),
        alias="JUNE_REMOTE_URLS",
        description="Servers that speak for this one, comma separated: `http://gpu-1:8080,http://gpu-2`. "
        "They add the engine `remote`, last in the order unless JUNE_ENGINES names it.",
    )
    remote_kind: Literal["openai", "fish"] = Field(
        "openai", alias="JUNE_REMOTE_KIND", description="Their API: OpenAI's speech API, or Fish's `/v1/tts`."
    )
    remote_api_key: SecretStr | None = Field(
        None, alias="JUNE_REMOTE_API_KEY", description="Sent to them as a bearer token."
    )
    remote_model: str = Field(
        "tts-1", min_length=1, alias="JUNE_REMOTE_MODEL", description="`model` of requests to OpenAI's API."
    )
    remote_voice: str | None = Field(
        None,
        max_length=200,
        alias="JUNE_REMOTE_VOICE",
        description="A voice of theirs that is offered beside those that they list. Unset: `alloy`; with "
        "Fish's API `remote`, which is a request without a reference.",
    )
    remote_languages: Annotated[tuple[str, ...], BeforeValidator(comma_list), AfterValidator(each_once)] = (
        Field(
            ("en-US",),
            min_length=1,
            alias="JUNE_REMOTE_LANGUAGES",
            description="BCP 47 tags of what they speak, comma separated; the first one is the default.",
        )
    )
    remote_rate: int = Field(
        0,
        ge=0,
        le=192_000,
        alias="JUNE_REMOTE_RATE",
        description="Hz of PCM that comes without a header; 0: 24000, with Fish's API 44100.",
    )
    remote_piece_chars: int = Field(
        1000,
        ge=40,
        le=100_000,
        alias="JUNE_REMOTE_PIECE_CHARS",
        description="Longest text of one request to them, in characters.",
    )
    remote_fields: Annotated[dict[str, str], BeforeValidator(comma_map)] = Field(
        default_factory=dict,
        alias="JUNE_REMOTE_FIELDS",
        description="Put into every request to them, `stream=true,language=en`; a value is JSON, else text.",
    )
    remote_connect_seconds: float = Field(
        2.0, gt=0, le=60, alias="JUNE_REMOTE_CONNECT_SECONDS", description="Time to reach one of them."
    )
    remote_first_seconds: float = Field(
        30.0,
        gt=0,
        le=3600,
        alias="JUNE_REMOTE_FIRST_SECONDS",
        description="Time to its first audio; the original Fish server sends nothing until all is made.",
    )
    remote_gap_seconds: float = Field(
        10.0, gt=0, le=3600, alias="JUNE_REMOTE_GAP_SECONDS", description="Time between two chunks of audio."
    )
    remote_health_seconds: float = Field(
        5.0, gt=0, le=3600, alias="JUNE_REMOTE_HEALTH_SECONDS", description="Time between two health checks."
    )
