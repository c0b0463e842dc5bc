"""Where the server listens, and where it keeps things."""

from pathlib import Path

import platformdirs
from pydantic import BaseModel, Field, SecretStr


class Serving(BaseModel):
    host: str = Field("127.0.0.1", alias="WRAPPER_HOST", description="Address to listen on.")
    port: int = Field(
        8000, ge=0, le=65535, alias="WRAPPER_PORT", description="Port to listen on; 0 picks one."
    )
    api_key: SecretStr | None = Field(
        None,
        alias="JUNE_API_KEY",
        description="A key that may do everything; `june-tts keys add` makes others. While there is none, "
        "anyone who can connect may call.",
    )
    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("june-tts", appauthor=False)),
        alias="JUNE_DATA_DIR",
        description="Where the voice library, pulled models and prepared voices live.",
    )
    voices_dir: Path | None = Field(
        None,
        alias="JUNE_VOICES_DIR",
        description="Folder for Piper voices (`.onnx` with `.onnx.json`). Unset: `voices` in JUNE_DATA_DIR.",
    )
