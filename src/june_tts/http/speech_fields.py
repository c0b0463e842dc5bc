"""What June's own API takes for one utterance: alone, in a batch, or as a job."""

from pydantic import BaseModel, Field

from june_tts.types import Format, Sampling, SpeechRequest


class SpeechFields(BaseModel):
    text: str = Field(description="The text to speak.")
    language: str | None = Field(
        None, max_length=40, description="BCP 47; must be one the voice speaks. Absent: the voice's own."
    )
    voice_id: str = Field("default", max_length=300, description="A voice of `/api/voices`.")
    temperature: float | None = Field(
        None, strict=True, ge=0, le=2, allow_inf_nan=False, description="How freely speech is drawn."
    )
    top_p: float | None = Field(
        None,
        strict=True,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Refused by engines that do not sample.",
    )
    repetition_penalty: float | None = Field(
        None,
        strict=True,
        ge=0.5,
        le=2,
        allow_inf_nan=False,
        description="Refused by engines that do not sample.",
    )
    seed: int | None = Field(
        None, strict=True, ge=0, lt=2**31, description="Same seed, same speech, where possible."
    )
    speed: float = Field(1.0, strict=True, ge=0.25, le=4.0, allow_inf_nan=False, description="Tempo.")
    audio_format: Format = Field("wav", description="Of the reply, where it is audio.")
    sample_rate: int | None = Field(
        None, strict=True, ge=8_000, le=192_000, description="Hz; absent: the engine's own."
    )

    def speech(self, request_id: str) -> SpeechRequest:
        """What the service is asked for."""
        sampling = Sampling(self.temperature, self.top_p, self.repetition_penalty, self.seed)
        return SpeechRequest(request_id, self.text, self.voice_id, self.language, self.speed, sampling)
