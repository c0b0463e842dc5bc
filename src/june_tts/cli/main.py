"""The entry point `june-tts`: finds the command, loads its module, turns expected errors into one line."""

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from june_tts.errors import InvalidRequest, JuneError, SettingsError

COMMANDS = {
    "serve": "Serve speech until interrupted.",
    "say": "Speak a text: aloud, into a file or to standard output.",
    "voices": "List, add, show, remove, export and import voices.",
    "keys": "Make, list, limit and revoke API keys.",
    "audit": "Show who changed voices and keys, newest first.",
    "models": "List the models there are, and pull more.",
    "fish": "The Fish engine: its own API, as fish-speech serves it, and tools.",
    "config": "Show the settings in effect and where each came from.",
    "doctor": "Check that this machine has what june-tts needs, with a remedy for what it lacks.",
    "bench": "Measure time to first audio, gaps, underruns and throughput of any TTS server.",
}
"""Name to the first line of its help. A command's module is imported when it is used: importing the server
takes a second, which `--help` and completion should not."""

FAILED, USAGE = 1, 2
"""Exit statuses: it could not be done / it was asked for wrongly."""


def load_command(name: str) -> Any:
    """The command of that name, a function or a group of them in the module of that name."""
    found = getattr(import_module(f"june_tts.cli.{name}"), name)
    if isinstance(found, typer.Typer):
        return get_command(found)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(found)
    return get_command(alone)


class _Commands(TyperGroup):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._loaded: set[str] = set()
        for name, help in COMMANDS.items():
            self.add_command(TyperCommand(name, help=help), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name in COMMANDS and name not in self._loaded:
            self.add_command(load_command(name), name)
            self._loaded.add(name)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **given: Any) -> Any:
        try:
            return super().main(*args, **given)
        except JuneError as expected:
            typer.secho(f"june-tts: {expected}", fg=typer.colors.RED, err=True)
            sys.exit(USAGE if isinstance(expected, InvalidRequest | SettingsError) else FAILED)


app = typer.Typer(
    name="june-tts",
    cls=_Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        # here, because it takes longer to import than the rest of this module
        from importlib import metadata

        typer.echo(f"june-tts {metadata.version('june-tts')}")
        raise typer.Exit


@app.callback()
def june_tts(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """A self-hosted text-to-speech server for voice agents."""


command = get_command(app)


def main() -> None:
    """Run the command line; exits with 0, 1 (failed) or 2 (asked for wrongly)."""
    command(prog_name="june-tts")


if __name__ == "__main__":
    main()
