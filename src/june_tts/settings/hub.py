"""Where models come from, and the recogniser."""

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr


class Hub(BaseModel):
    hf_token: SecretStr | None = Field(
        None,
        alias="HF_TOKEN",
        description="Token of a Hugging Face account, for `june-tts models pull` of what is handed out to "
        "accounts alone. Unset: the one that `hf auth login` saved.",
    )
    hf_home: Path | None = Field(
        None,
        alias="HF_HOME",
        description="Folder where Hugging Face's tools keep that token. Unset: `~/.cache/huggingface`.",
    )
    hf_endpoint: str = Field(
        "https://huggingface.co",
        pattern="^https?://",
        alias="HF_ENDPOINT",
        description="The model hub, or a mirror of it that answers in the same way.",
    )
    asr_model: Path | None = Field(
        None,
        alias="JUNE_ASR_MODEL",
        description="Folder of a Whisper model in CTranslate2's format, which writes the transcript of a "
        "cloned voice where none was given (extra `asr`). Unset: no transcript is made.",
    )
