"""The voice library, its database and the recogniser."""

from contextlib import AsyncExitStack
from pathlib import Path

from sqlalchemy import URL

from june_tts.engine.recogniser import WhisperRecogniser, open_recogniser
from june_tts.errors import SettingsError, VoiceNotFound, shown
from june_tts.service.voices import VoiceLibrary
from june_tts.settings import Settings
from june_tts.store import Limits


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as bad:
        why = getattr(bad, "strerror", None) or bad
        raise SettingsError(
            f"JUNE_DATA_DIR={shown(str(folder))}: cannot be created ({why}); expected a folder to write in"
        ) from bad


def database_url(settings: Settings) -> str | None:
    """PostgreSQL's URL from DATABASE_URL or the guide's DB_*; None means SQLite."""
    if settings.database_url:
        return settings.database_url.get_secret_value()
    if not settings.db_host:
        return None
    password = settings.db_password.get_secret_value() if settings.db_password else None
    url = URL.create(
        "postgresql",
        username=settings.db_user,
        password=password,
        host=settings.db_host,
        port=settings.db_port,
        database=settings.db_name,
    )
    return url.render_as_string(hide_password=False)


def database_limits(settings: Settings) -> Limits:
    """How long a caller may wait for the database."""
    most = settings.database_seconds
    return Limits(connect=min(Limits().connect, most), statement=most)


def recogniser_of(settings: Settings, stack: AsyncExitStack) -> WhisperRecogniser | None:
    """None where JUNE_ASR_MODEL is not set. Raises: ModelUnavailable."""
    recogniser = open_recogniser(settings.asr_model)
    if recogniser:
        stack.callback(recogniser.close)
    return recogniser


async def check_names(library: VoiceLibrary, settings: Settings) -> None:
    for name in ("default", *settings.voice_aliases):
        try:
            await library.resolve(name)
        except VoiceNotFound as missing:
            key = "JUNE_DEFAULT_VOICE" if name == "default" else f"JUNE_VOICE_ALIASES ({name})"
            raise VoiceNotFound(f"{key}: {missing}") from missing
