"""`june-tts models`: what can speak here, and pulling more."""

from typing import Annotated, Any

import typer

from june_tts.cli.output import show_json, show_table, size
from june_tts.errors import InvalidRequest
from june_tts.models.catalogue import Release, release
from june_tts.models.inventory import Model, inventory
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
                _some(model),
                ", ".join(model.languages) or "–",
                size(model.bytes),
                model.license,
            )
            for model in found
        ],
    )


@models.command("pull")
def pull_model(
    name: Annotated[
        str, typer.Argument(help="What to pull, as `models list` names it: kokoro, fish/s1-mini.")
    ],
    variant: Annotated[
        str | None,
        typer.Option(help="Of kokoro: int8 (smaller, the default) or fp32 (the unrounded weights)."),
    ] = None,
    url: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="Of kokoro: folder of a mirror to fetch the files from."),
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(
            help="Of fish/s1-mini: branch, tag or commit; main fetches the newest. Default: the one pulled "
            "before, else the newest."
        ),
    ] = None,
    accept_licence: Annotated[
        bool,
        typer.Option("--accept-licence", help="Agree to the model's licence here; else you are asked."),
    ] = False,
) -> None:
    """Fetch a model from where it is published. Goes on where an earlier pull was interrupted."""
    # here, because it takes a tenth of a second to import, which `models list` has no use for
    from june_tts.cli.pull import pull_from_hub, pull_release

    found = release(name)
    if isinstance(found, Release):
        _refuse(name, revision=revision)
        pull_release(found, load().settings, variant, url)
    else:
        _refuse(name, variant=variant)
        if url is not None:
            raise InvalidRequest(f"{name} comes from a model hub: set HF_ENDPOINT={url}", param="from")
        pull_from_hub(found, load().settings, revision, accept_licence)


def _refuse(name: str, **given: str | None) -> None:
    """Options that mean nothing for this model."""
    for option, value in given.items():
        if value is not None:
            raise InvalidRequest(f"{name} has no {option}: {value}", param=option)


def _some(model: Model) -> str:
    voices = model.voices
    if model.clones:
        return "any cloned voice"
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
        "revision": model.revision,
    }
