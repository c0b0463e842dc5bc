"""`june-tts voices`: the voice library on this machine or in its database."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from june_tts.cli.access import CALLER
from june_tts.cli.archive import ArchiveReader, ArchiveWriter, Entry
from june_tts.cli.library import opened
from june_tts.cli.output import note, show_json, show_table, size
from june_tts.errors import InvalidRequest, VoiceExists
from june_tts.service.pictures import checked_picture
from june_tts.service.terms import Terms, terms
from june_tts.service.voices import VoiceLibrary
from june_tts.settings import Settings, load
from june_tts.telemetry import log
from june_tts.types import ClonedVoice, Voice, VoiceCard

voices = typer.Typer(
    help="List, add, show, remove, export and import voices.", no_args_is_help=True, add_completion=False
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
VoiceId = Annotated[str, typer.Argument(metavar="ID", help="Id of a voice.")]


@voices.command("list")
def list_voices(as_json: Json = False) -> None:
    """List the voices that can be asked for, built-in ones first."""
    found = _with_library(lambda library: library.catalogue())
    if as_json:
        show_json([_voice_document(voice) for voice in found])
        return
    columns = ["id", "name", "kind", "engine", "languages", "rate", "licence"]
    show_table(columns, [_row(voice) for voice in found])


@voices.command("add")
def add_voice(
    voice_id: VoiceId,
    file: Annotated[Path, typer.Argument(help="Recording: WAV, MP3, FLAC, M4A, OGG or WebM, 3 to 60 s.")],
    name: Annotated[str | None, typer.Option(help="Name for people; the id unless given.")] = None,
    transcript: Annotated[str | None, typer.Option(help="What is said in the recording.")] = None,
    language: Annotated[str | None, typer.Option(help="BCP 47 tag such as en or pt-BR.")] = None,
    consent: Annotated[str | None, typer.Option(help="How the speaker agreed, for your records.")] = None,
    as_json: Json = False,
) -> None:
    """Judge a recording and keep it as a voice."""
    audio = _read(file, load().settings.max_upload_bytes)

    async def add(library: VoiceLibrary) -> ClonedVoice:
        return await library.clone(voice_id, name or voice_id, audio, transcript, language, consent=consent)

    _show_cloned(_with_library(add), as_json)


@voices.command("show")
def show_voice(voice_id: VoiceId, as_json: Json = False) -> None:
    """Show all that is known of a voice."""

    async def find(library: VoiceLibrary) -> Voice | ClonedVoice:
        voice = await library.resolve(voice_id)
        return voice if voice.kind == "builtin" else await library.get(voice_id)

    found = _with_library(find)
    if isinstance(found, ClonedVoice):
        _show_cloned(found, as_json)
    elif as_json:
        show_json(_voice_document(found))
    else:
        show_table(["field", "value"], [(key, _cell(value)) for key, value in _voice_document(found).items()])


@voices.command("remove")
def remove_voice(
    voice_id: VoiceId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a cloned voice and its recording for good."""
    if not yes:
        typer.confirm(f"Remove the voice {voice_id} and its recording?", abort=True, err=True)
    _with_library(lambda library: library.remove(voice_id))
    note(f"removed {voice_id}")


@voices.command("export")
def export_voices(
    archive: Annotated[Path, typer.Argument(metavar="FILE.zip", help="Archive to write.")],
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Voices; all unless given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write cloned voices with their original recordings to a .zip, for `import` elsewhere."""
    if archive.exists() and not force:
        raise InvalidRequest(f"{archive} is there already: use --force to replace it", param="archive")
    count = _with_library(lambda library: _export(library, archive, ids))
    note(f"{count} voices in {archive} ({size(archive.stat().st_size)})")


@voices.command("import")
def import_voices(
    archive: Annotated[Path, typer.Argument(metavar="FILE.zip", help="Archive that `export` wrote.")],
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave voices whose id is taken as they are.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Add the voices of an archive. Each is judged like an upload; one that fails does not stop the rest."""
    settings = load().settings
    outcomes = _with_library(lambda library: _import(library, settings, archive, skip_existing))
    if as_json:
        show_json(outcomes)
    else:
        show_table(["voice", "outcome", "reason"], [tuple(row.values()) for row in outcomes])
    if any(row["outcome"] == "failed" for row in outcomes):
        raise typer.Exit(1)


T = TypeVar("T")


def _with_library(use: Callable[[VoiceLibrary], Awaitable[T]]) -> T:
    settings = load().settings
    # what migrations and the voices folder have to say is of interest only when it is a warning
    log.configure("warning", "console")

    async def run() -> T:
        async with opened(settings) as library:
            with terms(Terms(caller=CALLER)):
                return await use(library)

    return asyncio.run(run())


async def _export(library: VoiceLibrary, archive: Path, ids: list[str] | None) -> int:
    if ids is None:
        ids = [voice.id for voice in await library.catalogue() if voice.kind == "cloned"]
    try:
        writer = ArchiveWriter(archive)
        try:
            for voice_id in dict.fromkeys(ids):
                kept, cover = await library.get(voice_id), await library.cover(voice_id)
                writer.add(kept, await library.audio(voice_id), cover)
            writer.finish()
        finally:
            writer.drop()
    except OSError as bad:
        raise InvalidRequest(f"{archive}: cannot be written ({bad})", param="archive") from bad
    return len(dict.fromkeys(ids))


async def _import(
    library: VoiceLibrary, settings: Settings, archive: Path, skip_existing: bool
) -> list[dict[str, str]]:
    reader = ArchiveReader(archive, settings.max_upload_bytes)
    try:
        return [await _import_one(library, reader, entry, skip_existing) for entry in reader.entries()]
    finally:
        reader.close()


async def _import_one(
    library: VoiceLibrary, reader: ArchiveReader, entry: Entry, skip_existing: bool
) -> dict[str, str]:
    outcome, reason = "added", ""
    try:
        cover = reader.cover(entry)
        await library.clone(
            entry.voice_id,
            entry.name,
            reader.audio(entry),
            entry.transcript,
            entry.language,
            consent=entry.consent,
            card=VoiceCard(
                entry.description, entry.tags, entry.visibility, checked_picture(cover) if cover else None
            ),
        )
    except VoiceExists as taken:
        outcome, reason = ("skipped" if skip_existing else "failed"), str(taken)
    except InvalidRequest as bad:
        outcome, reason = "failed", str(bad)
    return {"voice": entry.voice_id[:100], "outcome": outcome, "reason": reason}


def _read(file: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as opened_file:
            data = opened_file.read(limit + 1)
    except OSError as bad:
        raise InvalidRequest(f"{file}: cannot be read ({bad.strerror})", param="file") from bad
    if len(data) > limit:
        raise InvalidRequest(
            f"{file}: more than {limit} bytes (JUNE_MAX_UPLOAD_BYTES is the limit)", param="file"
        )
    return data


def _row(voice: Voice) -> tuple[str, ...]:
    rate = f"{voice.sample_rate} Hz" if voice.sample_rate else "–"
    engine = voice.engine or "any that clones"
    return (
        voice.id,
        voice.name,
        voice.kind,
        engine,
        ", ".join(voice.languages) or "–",
        rate,
        voice.license,
    )


def _voice_document(voice: Voice) -> dict[str, Any]:
    document = asdict(voice)
    del document["version"]
    document["created_at"] = voice.created_at.isoformat() if voice.created_at else None
    return document


def _cloned_document(voice: ClonedVoice) -> dict[str, Any]:
    return asdict(voice) | {
        "created_at": voice.created_at.isoformat(),
        "updated_at": voice.updated_at.isoformat(),
        "consent_at": voice.consent_at.isoformat() if voice.consent_at else None,
    }


def _show_cloned(voice: ClonedVoice, as_json: bool) -> None:
    document = _cloned_document(voice)
    if as_json:
        show_json(document)
        return
    report = document.pop("report") or {}
    show_table(["field", "value"], [(key, _cell(value)) for key, value in (document | report).items()])


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, tuple | list):
        return "; ".join(map(str, value)) or "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
