"""What the commands print: results on standard output, everything else on standard error."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_FILE_WIDTH = 160
"""Columns where the output is no terminal: wide enough that a script finds each row in one line."""


def notes() -> Console:
    """For progress and remarks: standard error, so that `--out -` and `--json` stay clean."""
    return Console(stderr=True, highlight=False)


def note(text: str) -> None:
    """One remark, in one line however long: paths in it stay whole."""
    notes().print(Text(text), soft_wrap=True)


def show_json(document: Any) -> None:
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Cells are shown as they are: a voice named "[red]" is no markup."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _FILE_WIDTH)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 1_000_000:.1f} MB" if count >= 100_000 else f"{count:,} bytes"
