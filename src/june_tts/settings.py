"""The only reader of the environment. Typed, frozen, read once; a bad value stops start-up by name.

Order of precedence: environment, then the TOML file named by JUNE_CONFIG_FILE, then the default. A TOML
file uses the same names in lower case, with or without the `june_` prefix.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from june_tts.errors import SettingsError, shown

OPENAI_VOICES = (
    *("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable"),
    *("marin", "nova", "onyx", "sage", "shimmer", "verse"),
)

NO_SETTINGS = ("JUNE_CONFIG_FILE", "JUNE_BASE_URL")
"""Names that an environment may have besides: where settings are read from, and what our clients read."""

FISH_AUDIO_VOICE = "933563129e564b19a115bedd57b7406a"
"""What LiveKit's plugin for Fish Audio asks for unless it is told otherwise."""

ELEVENLABS_VOICES = ("hpp4J3VqNfWAUOO0d1Us", "JBFqnCBsd6RMkjVDRZzb", "21m00Tcm4TlvDq8ikWAM")
"""What LiveKit's plugin for ElevenLabs asks for unless it is told otherwise, and what most examples of its
SDK have had in them, new and old."""


def _comma_list(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _comma_map(value: object) -> object:
    if not isinstance(value, str):
        return value
    found: dict[str, str] = {}
    for part in value.split(","):
        name, _, target = (side.strip() for side in part.partition("="))
        if not part.strip():
            continue
        if not name or not target:
            raise ValueError(f"{shown(part.strip())} should be name=voice")
        if name in found:
            raise ValueError(f"{shown(name)} is there twice")
        found[name] = target
    return found


def _each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) < len(value):
        raise ValueError("Each should be there once")
    return value


def _addresses(value: tuple[str, ...]) -> tuple[str, ...]:
    """Without a slash at the end, or the `/v1` that clients of OpenAI's API put there."""
    for address in value:
        if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s@?#]*)?", address):
            raise ValueError("Each should be http://host:port, without a user, a query or a fragment")
    return tuple(address.rstrip("/").removesuffix("/v1") for address in value)


class Settings(BaseModel):
    """One field per setting; the alias is the environment variable, the description is its reference."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=False, allow_inf_nan=False)

    host: str = Field("127.0.0.1", alias="WRAPPER_HOST", description="Address to listen on.")
    port: int = Field(
        8000, ge=0, le=65535, alias="WRAPPER_PORT", description="Port to listen on; 0 picks one."
    )
    api_key: SecretStr | None = Field(
        None,
        alias="JUNE_API_KEY",
        description="Clients must send it as a bearer token. Unset: anyone may call.",
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

    database_url: SecretStr | None = Field(
        None,
        alias="DATABASE_URL",
        description="`postgresql://user:password@host:port/name`. Unset: SQLite in JUNE_DATA_DIR.",
    )
    db_host: str | None = Field(
        None, alias="DB_HOST", description="PostgreSQL host, instead of DATABASE_URL."
    )
    db_port: int = Field(5432, ge=1, le=65535, alias="DB_PORT", description="PostgreSQL port.")
    db_name: str = Field("june", alias="DB_NAME", description="PostgreSQL database.")
    db_user: str = Field("june", alias="DB_USER", description="PostgreSQL user.")
    db_password: SecretStr | None = Field(None, alias="DB_PASSWORD", description="PostgreSQL password.")

    engines: Annotated[
        tuple[Literal["piper", "kokoro", "fish", "remote", "fake"], ...],
        BeforeValidator(_comma_list),
        AfterValidator(_each_once),
    ] = Field(
        ("piper", "kokoro"),
        min_length=1,
        alias="JUNE_ENGINES",
        description="Engines to load, comma separated.",
    )
    default_voice: str = Field(
        "joe", alias="JUNE_DEFAULT_VOICE", description="Spoken where a request names `default` or no voice."
    )
    voice_aliases: Annotated[dict[str, str], BeforeValidator(_comma_map)] = Field(
        default_factory=dict,
        alias="JUNE_VOICE_ALIASES",
        description="Other names for voices, `alloy=joe,nova=jf_alpha`. OpenAI's 13 names and the voices "
        "that clients of Fish Audio and ElevenLabs ask for by themselves speak the default voice unless they "
        "are listed.",
    )
    lanes: int = Field(
        0,
        ge=0,
        le=64,
        alias="JUNE_LANES",
        description="Model runs at a time on the CPU; 0: one per core.",
    )
    threads: int = Field(
        0,
        ge=0,
        le=256,
        alias="JUNE_THREADS",
        description="Threads of a model run that has the machine to itself; 0: up to 4.",
    )
    max_streams: int = Field(
        64,
        ge=1,
        alias="JUNE_MAX_STREAMS",
        description="Streams served at once; one more is refused with 503.",
    )
    ahead_seconds: float = Field(
        8.0, gt=0, le=120, alias="JUNE_AHEAD_SECONDS",
        description="Audio made ahead of what the client has taken, per stream, in seconds.",
    )  # fmt: skip

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
        description="WebSockets open at once; one more is refused with 503. Only speaking takes a stream.",
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

    fish_checkpoint: Path | None = Field(
        None,
        alias="LLAMA_CHECKPOINT_PATH",
        description="Folder of a Fish model (OpenAudio S1-mini): `config.json`, weights, tokenizer. It adds "
        "the engine `fish`, after the others unless JUNE_ENGINES names it.",
    )
    fish_codec: Path | None = Field(
        None,
        alias="DECODER_CHECKPOINT_PATH",
        description="Its codec. Unset: `codec.pth` in LLAMA_CHECKPOINT_PATH.",
    )
    fish_codec_kind: Literal["modded_dac_vq"] = Field(
        "modded_dac_vq", alias="DECODER_CONFIG_NAME", description="What kind of codec that is."
    )
    fish_device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        alias="JUNE_FISH_DEVICE",
        description="Where the Fish model runs; `auto`: on a GPU if there is one.",
    )
    fish_dtype: Literal["float32", "bfloat16", "float16", "int8", "int4"] = Field(
        "bfloat16", alias="JUNE_FISH_DTYPE", description="Precision of the Fish model's weights."
    )
    fish_batch_invariant: bool = Field(
        False,
        alias="JUNE_FISH_BATCH_INVARIANT",
        description="Make a request's speech independent of who else is served, in 16 bits and less too; "
        "it is so in float32. Large batches get slower.",
    )
    fish_compile: bool = Field(
        False,
        alias="COMPILE",
        description="Have torch write kernels for the Fish model: more frames a second on a GPU for a "
        "longer start.",
    )
    fish_slots: int = Field(
        16,
        ge=1,
        le=1024,
        alias="JUNE_FISH_SLOTS",
        description="Streams that the Fish model speaks at once; more wait.",
    )
    fish_positions: int = Field(
        4096,
        ge=512,
        le=65_536,
        alias="JUNE_FISH_POSITIONS",
        description="Room of each slot for recording, text and speech, 21.5 a second and a few a word. "
        "A position takes 112 KiB in 16 bits.",
    )
    fish_prefix_mb: int = Field(
        1024,
        ge=0,
        alias="JUNE_FISH_PREFIX_MB",
        description="Memory for what the Fish model has computed of recordings, for the next request with "
        "them; 20 s are 50 MB.",
    )
    fish_semantic_only: bool = Field(
        False,
        alias="JUNE_FISH_SEMANTIC_ONLY",
        description="Let the Fish model draw nothing but speech. Unset: as fish-speech draws, where text may "
        "come up and is left out.",
    )

    remote_urls: Annotated[
        tuple[str, ...], BeforeValidator(_comma_list), AfterValidator(_addresses), AfterValidator(_each_once)
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
    remote_languages: Annotated[tuple[str, ...], BeforeValidator(_comma_list), AfterValidator(_each_once)] = (
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
    remote_fields: Annotated[dict[str, str], BeforeValidator(_comma_map)] = Field(
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

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", alias="JUNE_LOG_LEVEL", description="Least severe level that is logged."
    )
    log_format: Literal["console", "json"] = Field(
        "console", alias="JUNE_LOG_FORMAT", description="Lines for people or JSON objects for machines."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: object, about: ValidationInfo) -> object:
        """No truth for a number (`port = true` would be port 1), and no text that cannot be passed on."""
        wanted = cls.model_fields[about.field_name or ""].annotation
        if isinstance(value, bool) and wanted in (int, float):
            raise ValueError("Input should be a number, not true or false")
        if isinstance(value, str) and any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
            raise ValueError("Input should be UTF-8 text without NUL")
        return value

    @field_validator("hf_token", mode="before")
    @classmethod
    def _trimmed(cls, value: object) -> object:
        """A token out of a file often brings its line's end along."""
        return value.strip() if isinstance(value, str) else value

    @field_validator("api_key", "hf_token", "remote_api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        """HTTP trims a header and leaves open how it is encoded: another key would never match."""
        if value is not None and not re.fullmatch("[!-~]+", value.get_secret_value()):
            raise ValueError("Input should be visible ASCII characters without spaces")
        return value

    @property
    def aliases(self) -> dict[str, str]:
        """Every other name of a voice: those that were set, and clients' usual ones for the default voice,
        which may be an alias itself."""
        usual = (*OPENAI_VOICES, FISH_AUDIO_VOICE, *ELEVENLABS_VOICES)
        return dict.fromkeys(usual, "default") | self.voice_aliases

    @property
    def piper_dir(self) -> Path:
        return self.voices_dir or self.data_dir / "voices"

    @property
    def models_dir(self) -> Path:
        return self.data_dir / "models"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and for each field where its value came from: a variable, a file or `default`."""

    settings: Settings
    origins: Mapping[str, str]


def load(environ: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Read the settings once.

    Args:
        environ: the process's environment unless given.
        overrides: command line options by alias; they win over everything.

    Raises:
        SettingsError: naming every bad key with its value and what was expected.
    """
    environ = os.environ if environ is None else environ
    known = {field.alias or name: name for name, field in Settings.model_fields.items()}
    values: dict[str, Any] = {}
    origins = dict.fromkeys(known.values(), "default")

    def take(found: Mapping[str, Any], origin: str) -> None:
        for alias, value in found.items():
            values[alias] = value
            origins[known[alias]] = origin

    path = environ.get("JUNE_CONFIG_FILE")
    if path:
        take(_read_toml(Path(path), known), path)
    unknown = [k for k in environ if k.startswith("JUNE_") and k not in known and k not in NO_SETTINGS]
    if unknown:
        raise SettingsError(
            "\n".join(f"unknown setting {_shown(k)}: {_suggest(k, known)}" for k in sorted(unknown))
        )
    # an empty variable counts as unset, as compose files write them
    take({alias: environ[alias] for alias in known if environ.get(alias)}, "environment")
    take(overrides or {}, "command line")
    try:
        return Loaded(Settings.model_validate(values), origins)
    except ValidationError as bad:
        raise SettingsError("\n".join(_explain(e, values) for e in bad.errors())) from None


def _read_toml(path: Path, known: Mapping[str, str]) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as bad:
        # not chained, and of the operating system's errors only the reason: paths may not be printable
        why = getattr(bad, "strerror", None) or ascii(str(bad))[1:-1]
        raise SettingsError(f"JUNE_CONFIG_FILE={_shown(path)}: cannot be read as TOML ({why})") from None
    result: dict[str, Any] = {}
    for key, value in found.items():
        alias = next((a for a in (key.upper(), f"JUNE_{key.upper()}") if a in known), None)
        if alias is None:
            raise SettingsError(f"{_shown(path)}: unknown setting {shown(key)}: {_suggest(key, known)}")
        if alias in result:
            raise SettingsError(f"{_shown(path)}: {alias} is there twice, with and without `june_`")
        result[alias] = value
    return result


def _suggest(key: str, known: Mapping[str, str]) -> str:
    near = get_close_matches(key.upper().removeprefix("JUNE_"), [a.removeprefix("JUNE_") for a in known], 1)
    meant = next((alias for alias in known if near and alias.removeprefix("JUNE_") == near[0]), None)
    return f"did you mean {meant}?" if meant else f"expected one of {_names(known)}"


def _shown(value: object) -> str:
    """What may have been set by mistake, on one line, printable anywhere, and not without end."""
    return shown(str(value).encode("ascii", "backslashreplace").decode(), 200)[1:-1]


def _names(known: Mapping[str, str]) -> str:
    return ", ".join(sorted(alias for alias in known if alias.startswith("JUNE_")))


def _explain(error: Any, values: Mapping[str, Any]) -> str:
    alias = str(error["loc"][0])
    field = next(f for f in Settings.model_fields.values() if f.alias == alias)
    # an address may have been given a password, which is what it is refused for
    secret = "SecretStr" in str(field.annotation) or alias == "JUNE_REMOTE_URLS"
    value = "(secret)" if secret else ascii(values.get(alias))
    value = value if len(value) <= 200 else f"{value[:200]}…"
    inside = ".".join(str(part) for part in error["loc"][1:])
    where = f" ({ascii(inside)[1:-1]})" if inside else ""
    return f"{alias}={value}{where}: {error['msg']}. {field.description}"
