"""`june-tts audit`: who changed voices and keys."""

from typing import Annotated

import typer

from june_tts.cli.access import with_desk
from june_tts.cli.output import show_json, show_table
from june_tts.http.routes.admin import entry_json


def audit(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Entries at most.")] = 100,
    before: Annotated[
        int | None, typer.Option(min=1, help="Those with smaller numbers alone: the page after.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show who changed voices and keys, newest first."""
    found = with_desk(lambda _, log: log.page(before, limit))
    if as_json:
        show_json([entry_json(entry) for entry in found])
        return
    columns = ["number", "when (UTC)", "who", "what", "which", "outcome", "request"]
    rows = [
        (
            str(entry.number),
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.actor or "(open server)",
            entry.action,
            entry.subject,
            entry.outcome,
            entry.request_id or "–",
        )
        for entry in found
    ]
    show_table(columns, rows)
