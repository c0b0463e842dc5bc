"""`june-tts models`: what can speak here, and pulling more."""

from pathlib import Path
from typing import Annotated, Any

import typer

from june_tts.cli.output import note, notes, show_json, show_table, size
from june_tts.models.catalogue import Release, release
from june_tts.models.inventory import Model, inventory
from june_tts.models.verified import Published
from june_tts.settings import load

models = typer.Typer(
    help="List the models there are, and pull more.", no_args_is_help=True, add_completion=False
)


@models.command("list")
def list_models(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List models: those on this machine, and those that can be pulled."""
    settings = load().settings
    found = inventory(settings.models_dir, settings.piper_dir)
    if as_json:
        show_json([_document(model) for model in found])
        return
    show_table(
        ["model", "engine", "state", "voices", "languages", "size", "licence"],
        [
            (
                model.name,
                model.engine,
                model.state,
                _some(model.voices),
                ", ".join(model.languages) or "–",
                size(model.bytes),
                model.license,
            )
            for model in found
        ],
    )


@models.command("pull")
def pull_model(
    name: Annotated[str, typer.Argument(help="What to pull, as `models list` names it: kokoro.")],
    variant: Annotated[
        str | None, typer.Option(help="int8 (smaller, the default) or fp32 (the unrounded weights).")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="Folder of a mirror to fetch the files from.")
    ] = None,
) -> None:
    """Fetch a model from where it is published. Goes on where an earlier pull was interrupted."""
    found = release(name)
    files = found.files(variant)
    folder = _pull(found, variant, files, load().settings.models_dir, url)
    note(f"{found.title} ({found.license}) is in {folder}")
    note("A running server speaks its voices after a restart.")


def _pull(
    found: Release, variant: str | None, files: tuple[Published, ...], models_dir: Path, url: str | None
) -> Path:
    # these take a tenth of a second to import, which `models list` has no use for
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    from june_tts.models.fetch import Fetcher
    from june_tts.models.pull import pull

    columns = (
        "{task.description}",
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    fetcher = Fetcher()
    try:
        with Progress(*columns, console=notes()) as bar:
            tasks = {file.name: bar.add_task(file.name, total=file.size) for file in files}

            def told(file: Published, done: int) -> None:
                bar.update(tasks[file.name], completed=done)

            return pull(found, variant, models_dir, fetcher, url=url, told=told)
    finally:
        fetcher.close()


def _some(voices: tuple[str, ...]) -> str:
    return ", ".join(voices) if len(voices) <= 5 else f"{len(voices)}: {', '.join(voices[:3])} …"


def _document(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "engine": model.engine,
        "state": model.state,
        "voices": list(model.voices),
        "languages": list(model.languages),
        "clones": model.clones,
        "bytes": model.bytes,
        "license": model.license,
        "path": str(model.path) if model.path else None,
    }
