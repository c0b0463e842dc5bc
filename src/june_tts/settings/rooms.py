"""LiveKit rooms."""

from pydantic import BaseModel, Field, SecretStr


class Rooms(BaseModel):
    livekit_url: str | None = Field(
        None,
        pattern=r"^(wss?|https?)://[^\s/@?#]+(/[^\s@?#]*)?$",
        alias="LIVEKIT_URL",
        description="LiveKit server to speak into, `wss://host:port`. Beside ORCHESTRATOR_URL: used in place "
        "of the address that it answers.",
    )
    livekit_api_key: str | None = Field(
        None,
        alias="LIVEKIT_API_KEY",
        description="Key to make room tokens with, for the server at LIVEKIT_URL.",
    )
    livekit_api_secret: SecretStr | None = Field(None, alias="LIVEKIT_API_SECRET", description="Its secret.")
    orchestrator_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$",
        alias="ORCHESTRATOR_URL",
        description="Asked for room tokens, `POST …/token`, where LIVEKIT_API_KEY is not set.",
    )
    livekit_identity: str = Field(
        "june-tts",
        min_length=1,
        max_length=256,
        alias="LIVEKIT_IDENTITY",
        description="Who june-tts is in a room. LiveKit lets one participant of a name into a room: replicas "
        "that may speak in the same one need different names.",
    )
    livekit_room: str | None = Field(
        None,
        max_length=256,
        alias="LIVEKIT_ROOM",
        description="Room that is joined at start and never left. Others are joined when they are named.",
    )
    room_warm_seconds: float = Field(
        300.0,
        ge=0,
        le=86_400,
        alias="JUNE_ROOM_WARM_SECONDS",
        description="How long a room is not left after the last utterance in it.",
    )
    room_buffer_ms: int = Field(
        200,
        ge=40,
        le=1000,
        multiple_of=10,
        alias="JUNE_ROOM_BUFFER_MS",
        description="Audio handed to LiveKit ahead of time, in ms; dropped where speech is stopped.",
    )
    room_join_seconds: float = Field(
        10.0, gt=0, le=60, alias="JUNE_ROOM_JOIN_SECONDS", description="Time to join a room."
    )
    room_reconnect_seconds: float = Field(
        15.0,
        ge=0,
        le=120,
        alias="JUNE_ROOM_RECONNECT_SECONDS",
        description="How long an utterance waits for a lost connection to come back before it fails.",
    )
    max_rooms: int = Field(
        32,
        ge=1,
        le=1000,
        alias="JUNE_MAX_ROOMS",
        description="Rooms joined at once; idle ones are left for new ones.",
    )
    room_queue: int = Field(
        32, ge=1, le=10_000, alias="JUNE_ROOM_QUEUE", description="Utterances that may wait for one room."
    )
    room_captions: bool = Field(
        True,
        alias="JUNE_ROOM_CAPTIONS",
        description="Publish what is spoken as transcription, in step with the sound.",
    )
