"""The only reader of the environment. Typed, frozen, read once; a bad value stops start-up by name.

Order of precedence: environment, then the TOML file named by JUNE_CONFIG_FILE, then the default. A TOML
file uses the same names in lower case, with or without the `june_` prefix.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, SecretStr, ValidationError, ValidationInfo, field_validator

from june_tts.errors import SettingsError, shown
from june_tts.settings.access import Access
from june_tts.settings.admission import Queueing
from june_tts.settings.batch import Batch
from june_tts.settings.fake import Fake
from june_tts.settings.fish import Fish
from june_tts.settings.hub import Hub
from june_tts.settings.jobs import Jobs
from june_tts.settings.library import Library
from june_tts.settings.limits import Limits
from june_tts.settings.logs import Logs
from june_tts.settings.phrases import KeptPhrases
from june_tts.settings.remote import Remote
from june_tts.settings.rooms import Rooms
from june_tts.settings.serving import Serving
from june_tts.settings.sharing import Sharing
from june_tts.settings.speech import Speech
from june_tts.settings.voice_cache import VoiceCache
from june_tts.settings.watching import Watching
from june_tts.settings.workers import Workers

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


# Pydantic goes through bases from the last to the first: this is the order of the reference, backwards.
class Settings(
    Workers,
    Watching,
    Logs,
    Rooms,
    Remote,
    Fake,
    Fish,
    Hub,
    Jobs,
    Batch,
    Limits,
    Queueing,
    Speech,
    KeptPhrases,
    VoiceCache,
    Sharing,
    Library,
    Access,
    Serving,
):
    """One field per setting; the alias is the environment variable, the description is its reference."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=False, allow_inf_nan=False)

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

    @field_validator("api_key", "service_auth_token", "hf_token", "remote_api_key")
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
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What was found, by names, as it was found: another process makes the same settings of it."""


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
        return Loaded(Settings.model_validate(values), origins, values)
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
