"""What ElevenLabs' API hears: the fields of its speech routes, as SDK 2 and the agents' plugins send them.

Unknown fields are ignored, as there: clients of one release talk to servers of another. A field that only
hints at how the speech should sound is taken and has no effect where no engine here can follow it; one that
would change what is said or heard is refused (docs/how-to/elevenlabs-clients.md has the list).
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Normalization = Literal["auto", "on", "off"]
MOST_SEED = 2**32 - 1


class VoiceSettings(BaseModel):
    """How the voice should speak."""

    model_config = ConfigDict(extra="ignore")

    speed: float | None = Field(
        None, strict=True, ge=0.25, le=4.0, allow_inf_nan=False, description="Tempo; 2 is twice as fast."
    )
    stability: Share | None = Field(None, description="A hint that no engine here follows.")
    similarity_boost: Share | None = Field(None, description="A hint that no engine here follows.")
    style: Share | None = Field(None, description="A hint that no engine here follows.")
    use_speaker_boost: bool | None = Field(
        None, strict=True, description="A hint that no engine here follows."
    )


class ElevenLabsBody(BaseModel):
    model_config = ConfigDict(
        extra="ignore",
        protected_namespaces=(),
        json_schema_extra={
            "examples": [{"text": "Good morning.", "model_id": "eleven_flash_v2_5", "language_code": "en"}]
        },
    )

    text: str = Field(description="The text to speak.")
    model_id: str | None = Field(
        None, max_length=200, description="A name of ElevenLabs' (`eleven_…`), `june`, or an engine."
    )
    language_code: str | None = Field(
        None, max_length=40, description="BCP 47; must be one the voice speaks. Absent: the voice's own."
    )
    voice_settings: VoiceSettings | None = Field(None, description="Of it, `speed` has an effect.")
    seed: int | None = Field(
        None, strict=True, ge=0, le=MOST_SEED, description="Same seed, same speech, where the engine draws."
    )
    apply_text_normalization: Normalization | None = Field(
        None, description="`off`: the text as it stands; else numbers and the like become words."
    )
    apply_language_text_normalization: bool | None = Field(None, strict=True, description="No effect.")
    previous_text: str | None = Field(None, description="A hint that no engine here follows.")
    next_text: str | None = Field(None, description="A hint that no engine here follows.")
    previous_request_ids: list[str] | None = Field(None, description="A hint that no engine here follows.")
    next_request_ids: list[str] | None = Field(None, description="A hint that no engine here follows.")
    use_pvc_as_ivc: bool | None = Field(
        None, strict=True, description="No effect: there is one kind of cloned voice."
    )
    pronunciation_dictionary_locators: list[Any] | None = Field(
        None, max_length=0, description="Refused unless empty: there are no dictionaries here."
    )
    audio_effects: dict[str, Any] | None = Field(
        None, max_length=0, description="Refused unless empty: there are no effects here."
    )

    @property
    def speed(self) -> float:
        given = self.voice_settings.speed if self.voice_settings else None
        return 1.0 if given is None else given

    @property
    def normalize(self) -> bool:
        return self.apply_text_normalization != "off"
