"""How large and how long things may be."""

from pydantic import BaseModel, Field


class Limits(BaseModel):
    max_text_chars: int = Field(
        100_000, ge=1, alias="JUNE_MAX_TEXT_CHARS", description="Longest text of one request, in characters."
    )
    max_body_bytes: int = Field(
        1_048_576, ge=1024, alias="JUNE_MAX_BODY_BYTES", description="Largest JSON body, in bytes."
    )
    max_upload_bytes: int = Field(
        20_971_520, ge=1024, alias="JUNE_MAX_UPLOAD_BYTES", description="Largest recording, in bytes."
    )
    body_timeout_seconds: float = Field(
        20.0,
        gt=0,
        le=3600,
        alias="JUNE_BODY_TIMEOUT_SECONDS",
        description="A request body must be complete after this long.",
    )
    header_seconds: float = Field(
        10.0,
        gt=0,
        le=3600,
        alias="JUNE_HEADER_SECONDS",
        description="A connection on which no request's headers are complete after this long is closed.",
    )
    max_connections: int = Field(
        2048,
        ge=8,
        le=1_000_000,
        alias="JUNE_MAX_CONNECTIONS",
        description="Connections open at once, WebSockets apart. One more takes the place of the oldest that "
        "has sent no complete headers; where there is none, it is refused with 503.",
    )
    stall_seconds: float = Field(
        120.0,
        gt=0,
        le=3600,
        alias="JUNE_STALL_SECONDS",
        description="A client that takes none of its audio for this long is cut off.",
    )
    live_sockets: int = Field(
        256,
        ge=1,
        le=100_000,
        alias="JUNE_LIVE_SOCKETS",
        description="WebSockets open at once. One more takes the place of the oldest that has said nothing "
        "for 5 seconds since it was opened; where there is none, it is refused with 503. Only speaking takes "
        "a stream.",
    )
    live_frame_bytes: int = Field(
        20_971_520,
        ge=1024,
        le=1 << 30,
        alias="JUNE_LIVE_FRAME_BYTES",
        description="Largest message on a WebSocket, in bytes; recordings to speak like come in one.",
    )
    live_idle_seconds: float = Field(
        600.0,
        gt=0,
        le=86_400,
        alias="JUNE_LIVE_IDLE_SECONDS",
        description="A WebSocket on which nothing is sent or spoken for this long is closed. Clients keep "
        "them for their next turn, LiveKit's for 300 seconds.",
    )
    live_turn_seconds: float = Field(
        3600.0,
        gt=0,
        le=86_400,
        alias="JUNE_LIVE_TURN_SECONDS",
        description="Longest turn on a WebSocket; it ends with an error then. Pipecat has one for a whole "
        "conversation. JUNE_MAX_TEXT_CHARS is for each turn, too.",
    )
    live_waiting_chars: int = Field(
        10_000,
        ge=1,
        le=10_000_000,
        alias="JUNE_LIVE_WAITING_CHARS",
        description="Text of a WebSocket's turn that waits to be spoken; beyond it the socket is not read.",
    )
    live_contexts: int = Field(
        16,
        ge=1,
        le=1000,
        alias="JUNE_LIVE_CONTEXTS",
        description="Contexts at once on one of ElevenLabs' multi-context WebSockets; one more is refused.",
    )
    drain_seconds: float = Field(
        10.0,
        ge=0,
        le=3600,
        alias="JUNE_DRAIN_SECONDS",
        description="How long a stopping server lets streams finish.",
    )
