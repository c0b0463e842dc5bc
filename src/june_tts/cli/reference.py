"""Prints docs/reference/cli.md: `python -m june_tts.cli.reference`. A test compares the two."""

from collections.abc import Iterator
from typing import Any

import typer

from june_tts.cli.main import COMMANDS, load_command


def cli_reference() -> str:
    """Every command with its arguments and options, as Markdown."""
    lines = [
        "# Command line",
        "",
        "Printed by `python -m june_tts.cli.reference`. Exit status: 0 done, 1 it could not be done, 2 it",
        "was asked for wrongly. Results go to standard output, everything else to standard error.",
        "`june-tts --install-completion` sets up completion for your shell.",
    ]
    for name in COMMANDS:
        for path, command in walk(f"june-tts {name}", load_command(name)):
            lines += ["", *_section(path, command)]
    return "\n".join(lines) + "\n"


def walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    """A command, or a group and what is in it, each with its full name."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from walk(f"{path} {name}", inner)


def _section(path: str, command: Any) -> list[str]:
    arguments = [_metavar(param) for param in _params(command) if param.param_type_name == "argument"]
    paragraphs = [" ".join(part.split()) for part in (command.help or "").split("\n\n")]
    lines = [f"## `{' '.join([path, *arguments])}`", *_spaced(paragraphs)]
    rows = [_row(param) for param in _params(command)]
    return [*lines, "", "| | |", "|---|---|", *rows] if rows else lines


def _params(command: Any) -> list[Any]:
    return [param for param in command.params if param.name != "help"]


def _spaced(paragraphs: list[str]) -> list[str]:
    return [line for paragraph in paragraphs for line in ("", paragraph)]


def _row(param: Any) -> str:
    # a "|" would end the cell
    return f"| {_names(param).replace('|', chr(92) + '|')} | {param.help.replace('|', chr(92) + '|')} |"


def _names(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{_metavar(param)}`"
    names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
    return names if param.is_flag else f"{names} `{param.metavar or param.name.upper()}`"


def _metavar(param: Any) -> str:
    shown = str(param.metavar or param.name.upper())
    return shown if param.required or shown.startswith("[") else f"[{shown}]"


if __name__ == "__main__":
    typer.echo(cli_reference(), nl=False)
