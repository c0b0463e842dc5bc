"""Who may call, how much, and from where."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, field_validator

from june_tts.settings.parts import comma_list, hosts, origins

_MOST = 1_000_000_000_000
_PER_KEY = "of each key; a key may have another limit of its own. 0: no limit."


class Access(BaseModel):
    service_auth_token: SecretStr | None = Field(
        None,
        alias="SERVICE_AUTH_TOKEN",
        description="A second key beside JUNE_API_KEY, under the name that the services around June give it.",
    )
    allow_open: bool = Field(
        False,
        alias="JUNE_ALLOW_OPEN",
        description="Serve without any key also where others can connect: on an address that is not "
        "loopback the server does not start otherwise.",
    )
    allowed_hosts: Annotated[tuple[str, ...], BeforeValidator(comma_list)] = Field(
        (),
        alias="JUNE_ALLOWED_HOSTS",
        description="Names by which the server may be called, `*.example.com` for all below, separated by "
        "commas. Unset: any. Health and metrics answer to any name.",
    )
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(comma_list)] = Field(
        (),
        alias="JUNE_CORS_ORIGINS",
        description="Origins whose pages may call from a browser, `https://app.example.com`, separated by "
        "commas; `*`: any. Unset: the server's own page alone.",
    )
    require_consent: bool = Field(
        False,
        alias="JUNE_REQUIRE_CONSENT",
        description="Refuse new voices without a statement of the speaker's consent.",
    )
    audit_days: int = Field(
        365,
        ge=0,
        le=36_500,
        alias="JUNE_AUDIT_DAYS",
        description="How long the audit log is kept. 0: for ever.",
    )
    requests_per_minute: int = Field(
        0, ge=0, le=_MOST, alias="JUNE_REQUESTS_PER_MINUTE", description=f"Requests a minute {_PER_KEY}"
    )
    characters_per_minute: int = Field(
        0,
        ge=0,
        le=_MOST,
        alias="JUNE_CHARACTERS_PER_MINUTE",
        description=f"Characters of text a minute {_PER_KEY}",
    )
    audio_seconds_per_minute: int = Field(
        0,
        ge=0,
        le=_MOST,
        alias="JUNE_AUDIO_SECONDS_PER_MINUTE",
        description=f"Seconds of audio a minute {_PER_KEY}",
    )
    key_streams: int = Field(
        0, ge=0, le=_MOST, alias="JUNE_KEY_STREAMS", description=f"Streams at once {_PER_KEY}"
    )
    characters_per_day: int = Field(
        0,
        ge=0,
        le=_MOST,
        alias="JUNE_CHARACTERS_PER_DAY",
        description=f"Characters of text a day (UTC) {_PER_KEY}",
    )
    characters_per_month: int = Field(
        0,
        ge=0,
        le=_MOST,
        alias="JUNE_CHARACTERS_PER_MONTH",
        description=f"Characters of text a calendar month (UTC) {_PER_KEY}",
    )
    audio_seconds_per_day: int = Field(
        0,
        ge=0,
        le=_MOST,
        alias="JUNE_AUDIO_SECONDS_PER_DAY",
        description=f"Seconds of audio a day (UTC) {_PER_KEY}",
    )
    audio_seconds_per_month: int = Field(
        0,
        ge=0,
        le=_MOST,
        alias="JUNE_AUDIO_SECONDS_PER_MONTH",
        description=f"Seconds of audio a calendar month (UTC) {_PER_KEY}",
    )

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return hosts(value)

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return origins(value)
